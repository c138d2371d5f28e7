"""Options that Claude Code itself judges: what it would say about them, without starting a session."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hldctl.claude.command_line import json_argument
from hldctl.claude.settings import ClaudeSettings

# Claude Code looks for the agent last: it exits before it runs a hook, starts an MCP server or asks the API (2.1.332).
_NO_AGENT = "hldctl-checks-the-options"
_AGENTS_REFUSED = re.compile(r"Error: Invalid --agents configuration:\n(.*)", re.DOTALL)
_SCHEMA_REFUSED = re.compile(r"Error: --json-schema (.*)")
_AGENTS_LISTED = re.compile(r"Available agents: (.*)")
# 0.3 s are normal.
_TIMEOUT_SECONDS = 30


class AgentVerdict(NamedTuple):
    """What Claude Code says about agents; None if it says nothing."""

    error: str | None
    """Why it refuses their definitions."""
    available: tuple[str, ...] | None = None
    """The names of all agents that it has."""


def check_agents(binary: str, settings: ClaudeSettings, environment: Mapping[str, str], directory: str) -> AgentVerdict:
    """Ask Claude Code about the agents; `directory` is the one in which the session will work."""
    # Imported here: few sessions have such options.
    import tempfile

    # Definitions of agents may hold secrets, and every local user can read the arguments of a process.
    with tempfile.NamedTemporaryFile("w", suffix=".json") as agents_file:
        json.dump(settings.agents or {}, agents_file)
        agents_file.flush()
        arguments = ["--agents", agents_file.name] if settings.agents else []
        output = _errors([binary, "-p", *arguments, "--agent", _NO_AGENT], environment, directory)
    if match := _AGENTS_REFUSED.search(output):
        return AgentVerdict(_sentence(match[1]))
    match = _AGENTS_LISTED.search(output)
    return AgentVerdict(None, None if match is None else tuple(match[1].strip().split(", ")))


def find_schema_error(binary: str, schema: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """Return what Claude Code says about a schema that it refuses, as words to follow "it"; None if it accepts it."""
    # Without a prompt it exits after it has accepted the schema, and --bare leaves out the hooks before that (2.1.332).
    command = [binary, "-p", "--bare", "--strict-mcp-config", "--json-schema", json_argument(schema)]
    match = _SCHEMA_REFUSED.search(_errors(command, environment, "/"))
    return None if match is None else _sentence(match[1])


def _errors(command: list[str], environment: Mapping[str, str], directory: str) -> str:
    """Return what the command writes to standard error; nothing if it cannot be run: the launch itself reports that."""
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            cwd=directory if Path(directory).is_dir() else "/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr.decode(errors="replace")


def _sentence(text: str) -> str:
    return "; ".join(text.strip().splitlines()).removesuffix(".")
