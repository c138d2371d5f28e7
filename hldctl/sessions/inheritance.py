"""What a new session inherits from the files of another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hldctl.claude import command_line
from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.settings.option import inherited_values, options
from hldctl.store.session import Session


def claude_settings(state: StateDirectory, parent: Session) -> ClaudeSettings:
    """Return the parent's settings, except max_turns: the new session counts from zero."""
    files = state.session(parent.id)
    values = inherited_values(ClaudeSettings, parent) | {
        "extra_arguments": command_line.remove_conversation_options(parent.extra_arguments),
        "mcp_config": _read_json(files.mcp_config),
        "claude_settings": _read_json(files.claude_settings),
        "agents": _read_json(files.agents),
        "environment": environment(state, parent.id),
    }
    return ClaudeSettings.from_values(values)


def merge(inherited: ClaudeSettings, values: Mapping[str, Any]) -> ClaudeSettings:
    """Return the inherited settings with those given now.

    Claude Code gets each option once: what is given now replaces it, whether it was inherited as a setting or as one of
    the arguments after `--`.
    """
    arguments = inherited.extra_arguments
    replaced: dict[str, Any] = {}
    for field, option in options(ClaudeSettings):
        if field.name in values:
            arguments = command_line.remove_options(arguments, option.claude_flags)
        elif command_line.has_option(values.get("extra_arguments", ()), option.claude_flags):
            replaced |= {field.name: None} | ({"agent_names": ()} if field.name == "agents" else {})
    return replace(inherited, **{"extra_arguments": arguments, **replaced, **values})


def environment(state: StateDirectory, session_id: str) -> dict[str, str]:
    """Return the variables that were given to a session with --env."""
    return _read_json(state.session(session_id).environment) or {}


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UnfitEnvironment(f"{path}, which the new session inherits, cannot be read: {error}.") from None
    return value


def read_text(path: Path) -> str | None:
    """Return the text of a file that the new session inherits; None if it is missing."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnfitEnvironment(
            f"{path}, which the new session inherits, cannot be read: {error.strerror or error}."
        ) from None
