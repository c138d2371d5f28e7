"""What a user can say of a new session, before it is checked; None means nothing was said."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hldctl import durations
from hldctl.claude import mcp
from hldctl.config.schema import Configuration
from hldctl.config.values import ApprovalTimeout, tool_names
from hldctl.errors import BadUsage
from hldctl.states import IfRunning

_AS_CONFIGURED = ("model", "permission_mode", "max_budget_usd", "retries", "wait_for_reset", "fail_on_denial")
_LIMITS = ("timeout", "idle_timeout")


@dataclass(frozen=True)
class SessionOptions:
    title: str | None = None
    working_dir: str | None = None
    create_dir: bool = False
    model: str | None = None
    additional_directories: tuple[str, ...] | None = None
    max_turns: int | None = None
    max_budget_usd: float | None = None
    system_prompt: str | None = None
    append_system_prompt: str | None = None
    custom_instructions: str | None = None
    permission_mode: str | None = None
    permission_prompt_tool: str | None = None
    allowed_tools: tuple[str, ...] | None = None
    disallowed_tools: tuple[str, ...] | None = None
    extra_arguments: tuple[str, ...] | None = None
    mcp_config: str | None = None
    """A file or JSON."""
    claude_settings: str | None = None
    """A file or JSON."""
    environment: tuple[str, ...] | None = None
    """NAME or NAME=VALUE."""
    approvals: bool | None = None
    auto_accept_edits: bool | None = None
    dangerously_skip_permissions: bool | None = None
    skipping_seconds: float | None = None
    approval_timeout: ApprovalTimeout | None = None
    on_approval: str | None = None
    from_session: bool | None = None
    timeout: float | None = None
    """Seconds, as `idle_timeout`."""
    idle_timeout: float | None = None
    name: str | None = None
    if_running: IfRunning | None = None
    group: str | None = None
    retries: int | None = None
    wait_for_reset: bool | None = None
    fail_on_denial: bool | None = None
    on_end: str | None = None
    """A command for /bin/sh; empty for none, whatever is configured."""
    rehearse: str | None = None
    """A file with the script that is played in place of a model."""


def applied(options: SessionOptions, configured: Configuration) -> SessionOptions:
    """What is said wins over what is configured."""
    defaults: dict[str, Any] = {name: getattr(configured, name) for name in _AS_CONFIGURED}
    for name in _LIMITS:
        text = getattr(configured, name)
        defaults[name] = None if text is None else durations.limit(text)
    if configured.allowed_tools is not None:
        defaults["allowed_tools"] = tuple(tool for text in configured.allowed_tools for tool in tool_names(text))
    return replace(options, **{name: value for name, value in defaults.items() if getattr(options, name) is None})


def checked(options: SessionOptions) -> dict[str, Any]:
    """What was said, as values for ClaudeSettings; raises BadUsage for what cannot work."""
    values: dict[str, Any] = {
        "model": options.model,
        "max_turns": options.max_turns,
        "max_budget_usd": options.max_budget_usd,
        "system_prompt": options.system_prompt,
        "append_system_prompt": options.append_system_prompt,
        "custom_instructions": options.custom_instructions,
        "permission_mode": options.permission_mode,
        "permission_prompt_tool": options.permission_prompt_tool,
        "allowed_tools": options.allowed_tools,
        "disallowed_tools": options.disallowed_tools,
        "extra_arguments": options.extra_arguments,
    }
    if options.additional_directories is not None:
        values["additional_directories"] = tuple(map(_existing, options.additional_directories))
    if options.mcp_config is not None:
        values["mcp_config"] = _mcp_config(options.mcp_config)
    if options.claude_settings is not None:
        values["claude_settings"] = _json_object("--settings", options.claude_settings)
    if options.environment is not None:
        values["environment"] = _variables(options.environment, os.environ)
    return {name: value for name, value in values.items() if value is not None}


def checked_query(query: str) -> str:
    """Raises BadUsage for a query that says nothing."""
    # What a shell passed that is no UTF-8 would fit into no database.
    query = query.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not query.strip():
        raise BadUsage("The query is empty; say what Claude Code should do.")
    return query


def directory(path: str, *, create_with: int | None = None) -> str:
    """The absolute path of a working directory; raises BadUsage unless one can work there.

    `create_with` is the umask with which a missing one is to be made: it is the user's, not one of hldctl's files.
    """
    absolute = _absolute(path)
    if create_with is not None and not os.path.lexists(absolute):
        _make(absolute, create_with)
    if not os.path.exists(absolute):
        raise BadUsage(f"The working directory {absolute} does not exist; --create-dir makes it.")
    if not os.path.isdir(absolute):
        raise BadUsage(f"The working directory {absolute} is a file.")
    if not os.access(absolute, os.X_OK):
        raise BadUsage(f"The working directory {absolute} may not be entered.")
    return str(absolute)


def _make(directory: Path, umask: int) -> None:
    ours = os.umask(umask)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadUsage(f"The working directory {directory} cannot be made: {error.strerror or error}.") from None
    finally:
        os.umask(ours)


def _existing(path: str) -> str:
    absolute = _absolute(path)
    if not os.path.isdir(absolute):
        raise BadUsage(f"The additional directory {absolute} is no directory.")
    return str(absolute)


def _absolute(path: str) -> Path:
    try:
        absolute = Path(path).expanduser().absolute()
    except (RuntimeError, OSError):
        raise BadUsage(f"{path} cannot be made out: no such user, or the current directory is gone.") from None
    if not _is_utf8(str(absolute)):
        raise BadUsage(f"The name of the directory {str(absolute)!r} is no UTF-8, and cannot be recorded.")
    return absolute


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mcp_config(source: str) -> dict[str, Any]:
    config = _json_object("--mcp-config", source)
    servers = config.get("mcpServers")
    if not isinstance(servers, dict):
        raise BadUsage('--mcp-config needs an object "mcpServers" with an object for each server in it.')
    for name, server in servers.items():
        if (fault := mcp.fault(server)) is not None:
            # Never its values: they may be secrets.
            raise BadUsage(f"--mcp-config: the server {name!r} {fault}.")
    return config


def _json_object(option: str, source: str) -> dict[str, Any]:
    if not source.strip():
        raise BadUsage(f"{option} wants a file or JSON.")
    is_json = source.lstrip()[0] in '{["'
    where = option if is_json else f"{option} {source}"
    try:
        value = json.loads(source if is_json else Path(source).expanduser().read_text(encoding="utf-8"))
    except (OSError, RuntimeError) as error:
        raise BadUsage(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{where} is no valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadUsage(f"{where} must be a JSON object.")
    return value


def _variables(words: Sequence[str], launcher: Mapping[str, str]) -> dict[str, str]:
    variables = {}
    for word in words:
        name, has_value, value = word.partition("=")
        if not name:
            raise BadUsage("--env wants NAME or NAME=VALUE.")
        if not has_value and name not in launcher:
            raise BadUsage(f"--env {name}: there is no such variable here; give it a value with {name}=VALUE.")
        variables[name] = value if has_value else launcher[name]
    return variables
