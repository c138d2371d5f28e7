"""Options that Claude Code itself judges: what it would say about them, without starting a session."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hldctl.claude.settings import ClaudeSettings

# Claude Code looks for the agent last: it exits before it runs a hook, starts an MCP server or asks the API (2.1.332).
_NO_AGENT = "hldctl-checks-the-options"
_AGENTS_REFUSED = re.compile(r"Error: Invalid --agents configuration:\n(.*)", re.DOTALL)
_SCHEMA_REFUSED = re.compile(r"Error: --json-schema (.*)")
_AGENTS_LISTED = re.compile(r"Available agents: (.*)")
# 0.3 s are normal.
_TIMEOUT_SECONDS = 30


class Verdict(NamedTuple):
    """What Claude Code says about the options of a session; None if it says nothing."""

    agents_error: str | None = None
    schema_error: str | None = None
    available_agents: tuple[str, ...] | None = None


def check_options(binary: str, settings: ClaudeSettings, environment: Mapping[str, str], directory: str) -> Verdict:
    """Ask Claude Code about the options; `directory` is the one in which the session will work."""
    # Imported here: few sessions have such options.
    import tempfile

    # Definitions of agents may hold secrets, and every local user can read the arguments of a process.
    with tempfile.NamedTemporaryFile("w", suffix=".json") as agents_file:
        json.dump(settings.agents or {}, agents_file)
        agents_file.flush()
        arguments = ["--agents", agents_file.name] if settings.agents else []
        output = _errors([binary, "-p", *arguments, "--agent", _NO_AGENT], environment, directory)
    if match := _AGENTS_REFUSED.search(output):
        return Verdict(agents_error=_sentence(match[1]))
    if match := _SCHEMA_REFUSED.search(output):
        return Verdict(schema_error=_sentence(match[1]))
    match = _AGENTS_LISTED.search(output)
    return Verdict(available_agents=None if match is None else tuple(match[1].strip().split(", ")))


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
