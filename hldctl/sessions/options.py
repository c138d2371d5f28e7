"""What a user chooses for a new session, and its validation."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hldctl.claude import mcp
from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import BadUsage
from hldctl.settings.option import FLAG, TEXT, Kind, Option, chosen, chosen_only
from hldctl.states import IfRunning

_IF_RUNNING = Kind("one of fail, skip, queue and replace", lambda value: value in tuple(IfRunning), IfRunning)


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """The options given for a new session. A field is None if its option was not given."""

    title: str | None = chosen_only(None, Option("title", TEXT, "A title, shown in lists.", metavar="TITLE"))
    working_dir: str | None = chosen_only(
        None,
        Option(
            "working_dir", TEXT, "Directory in which Claude Code works.", flags=("--working-dir", "-C"), metavar="DIR"
        ),
    )
    create_dir: bool | None = chosen_only(
        None,
        Option("create_dir", FLAG, "Create the working directory if it is missing.", flags=("--create-dir",)),
    )
    name: str | None = chosen_only(
        None,
        Option(
            "name",
            TEXT,
            "A name to use instead of the id. Only one session with it runs at a time.",
            metavar="NAME",
        ),
    )
    if_running: IfRunning | None = chosen_only(
        None,
        Option("if_running", _IF_RUNNING, "What to do if a session with that name is already running. Default: fail."),
    )
    rehearse: str | None = chosen_only(
        None,
        Option("rehearse", TEXT, "Play a script in place of the model: no account, no cost.", metavar="SCRIPT"),
    )
    extra_arguments: tuple[str, ...] | None = None
    """Passed to Claude Code unchanged."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """The other options, by name, as their kinds parse them: see `hldctl.settings`."""


def with_defaults(options: SessionOptions, configured: Mapping[str, Any]) -> SessionOptions:
    """Return the options with those of the configuration file for the ones not given."""
    return replace(options, given={**configured, **options.given})


def validate(options: SessionOptions) -> dict[str, Any]:
    """Return the fields of ClaudeSettings that the options set; raise BadUsage for values that cannot work."""
    values = chosen(ClaudeSettings, options.given, 0)
    if options.extra_arguments is not None:
        values["extra_arguments"] = options.extra_arguments
    if "additional_directories" in values:
        values["additional_directories"] = tuple(map(_existing, values["additional_directories"]))
    if "mcp_config" in values:
        values["mcp_config"] = _mcp_config(values["mcp_config"])
    if "claude_settings" in values:
        values["claude_settings"] = _json_object("--settings", values["claude_settings"])
    if "environment" in values:
        values["environment"] = _variables(values["environment"], os.environ)
    return values


def validate_query(query: str) -> str:
    """Return the query as it can be stored; raise BadUsage for an empty one."""
    # Bytes from a shell that are not UTF-8 would not fit into the database.
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
