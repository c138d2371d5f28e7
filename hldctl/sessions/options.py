"""The options of a new session, and their validation."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, replace
from pathlib import Path
from typing import Any

from hldctl.claude import command_line, mcp
from hldctl.claude.settings import ClaudeSettings
from hldctl.claude.stream import is_deep, replace_surrogates
from hldctl.errors import BadUsage
from hldctl.paths import is_session_id
from hldctl.settings.option import (
    FLAG,
    SESSIONS,
    TEXT,
    Kind,
    Option,
    Section,
    chosen_values,
    options,
    unstored_setting,
)
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy
from hldctl.states import IfOverBudget, IfRunning

_IF_OVER_BUDGET = Kind("queue or fail", lambda value: value in tuple(IfOverBudget), IfOverBudget)
# Claude Code's own options for those of a session, by name.
_CLAUDE_FLAGS = {option.name: option.claude_flags for _, option in options(ClaudeSettings)}
# With an empty text, the one that is configured or inherited does not apply.
_UNSET_IF_EMPTY = frozenset({"effort", "agent", "fallback_model"})
_IF_RUNNING = Kind("one of fail, skip, queue and replace", lambda value: value in tuple(IfRunning), IfRunning)


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """The options given for a new session. A field is None if its option was not given."""

    title: str | None = unstored_setting(None, Option("title", TEXT, "A title, shown in lists.", metavar="TITLE"))
    working_dir: str | None = unstored_setting(
        None,
        Option(
            "working_dir", TEXT, "Directory in which Claude Code works.", flags=("--working-dir", "-C"), metavar="DIR"
        ),
    )
    create_dir: bool | None = unstored_setting(
        None,
        Option("create_dir", FLAG, "Create the working directory if it is missing.", flags=("--create-dir",)),
    )
    name: str | None = unstored_setting(
        None,
        Option(
            "name",
            TEXT,
            "A name to use instead of the id. Only one session with it runs at a time.",
            metavar="NAME",
            section=Section.UNATTENDED,
        ),
    )
    if_running: IfRunning | None = unstored_setting(
        None,
        Option(
            "if_running",
            _IF_RUNNING,
            "What to do if a session with that name is already running. Default: fail.",
            section=Section.UNATTENDED,
        ),
    )
    after: tuple[str, ...] | None = unstored_setting(
        None,
        Option(
            "after",
            SESSIONS,
            "Start when this session has completed; if it fails, this one fails, too. Commas separate several.",
            section=Section.UNATTENDED,
        ),
    )
    after_any: tuple[str, ...] | None = unstored_setting(
        None,
        Option(
            "after_any",
            SESSIONS,
            "Start when this session has ended, however it ended. Commas separate several.",
            section=Section.UNATTENDED,
        ),
    )
    if_over_budget: IfOverBudget | None = unstored_setting(
        None,
        Option(
            "if_over_budget",
            _IF_OVER_BUDGET,
            "What to do if a budget does not allow another session now. Default: queue.",
            section=Section.UNATTENDED,
        ),
    )
    worktree: str | None = unstored_setting(
        None,
        Option(
            "worktree",
            TEXT,
            "Work in a new git worktree, on a branch hldctl/NAME; without a name, one is chosen.",
            # In this form, or else a query after it would be its name.
            metavar="[=NAME]",
        ),
    )
    """Empty if hldctl shall choose the name."""
    base: str | None = unstored_setting(
        None,
        Option("base", TEXT, "Branch, tag or commit that the worktree starts from. Default: HEAD.", metavar="REF"),
    )
    with_changes: bool | None = unstored_setting(
        None,
        Option(
            "with_changes",
            FLAG,
            "Copy uncommitted and untracked work into the worktree; the checkout stays as it is.",
            flags=("--with-changes",),
        ),
    )
    rehearse: str | None = unstored_setting(
        None,
        Option("rehearse", TEXT, "Play a script in place of the model: no account, no cost.", metavar="SCRIPT"),
    )
    extra_arguments: tuple[str, ...] | None = None
    """Passed to Claude Code unchanged."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """The values of the other options, by name; see `hldctl.settings`."""

    @property
    def names(self) -> list[str]:
        """The names of the given options, those that are fields here left out except `extra_arguments`."""
        rest = ["extra_arguments"] if self.extra_arguments else []
        return [*(name for name, value in self.given.items() if value is not None), *rest]


def declared_options() -> Iterator[tuple[type, Field[Any], Option]]:
    """Yield all options of a session with the dataclass and field that declare them, in the order of the help."""
    for part in (SessionOptions, ClaudeSettings, Permissions, RunPolicy):
        for each, option in options(part):
            yield part, each, option


OPTIONS = {option.name: option for _, _, option in declared_options()}
"""All options of a session, by name."""


def session_options(values: Mapping[str, Any], extra_arguments: tuple[str, ...] | None) -> SessionOptions:
    """Return the options with these values, by name; one that is None or absent was not given."""
    own, others = {}, {}
    for part, each, option in declared_options():
        value = values.get(option.name)
        if part is SessionOptions:
            own[each.name] = value
        elif value is not None:
            others[option.name] = value
    return SessionOptions(**own, extra_arguments=extra_arguments, given=others)


def add_defaults(options: SessionOptions, configured: Mapping[str, Any]) -> SessionOptions:
    """Return the options, completed by those of the configuration file; those after `--` count more than the file."""
    defaults = {name: value for name, value in configured.items() if not _is_after_dashes(options, name)}
    return replace(options, given={**defaults, **options.given})


def _is_after_dashes(options: SessionOptions, name: str) -> bool:
    return command_line.has_option(options.extra_arguments or (), _CLAUDE_FLAGS.get(name, ()))


def validate(options: SessionOptions) -> dict[str, Any]:
    """Return the fields of ClaudeSettings that the options set; raise BadUsage for invalid values."""
    values = chosen_values(ClaudeSettings, options.given, 0)
    if options.extra_arguments is not None:
        if (option := command_line.find_incompatible_option(options.extra_arguments)) is not None:
            raise BadUsage(f"{option} after -- cannot be used: hldctl could not read Claude Code's output; remove it.")
        _refuse_repeated(options)
        values["extra_arguments"] = options.extra_arguments
    for name in _UNSET_IF_EMPTY & values.keys():
        values[name] = values[name] or None
    if "additional_directories" in values:
        values["additional_directories"] = tuple(map(_existing_directory, values["additional_directories"]))
    if "mcp_config" in values:
        values["mcp_config"] = _mcp_config(values["mcp_config"])
    if "claude_settings" in values:
        values["claude_settings"] = _json_object("--settings", values["claude_settings"])
    if "agents" in values:
        values["agents"] = _agents(values["agents"])
        values["agent_names"] = tuple(values["agents"] or ())
    if "json_schema" in values:
        values["json_schema"] = _json_schema(values["json_schema"])
    if "tools" in values:
        values["tools"] = _built_in_tools(values["tools"])
    if "environment" in values:
        values["environment"] = _variables(values["environment"], os.environ)
    return values


def _refuse_repeated(options: SessionOptions) -> None:
    for name in options.given:
        if _is_after_dashes(options, name):
            flag = f"--{name.replace('_', '-')}"
            raise BadUsage(f"{flag} is given both before and after --; write it once, before --.")


def session_uuid(text: str) -> str:
    """Return the id that a new session shall have; raise BadUsage if it is not a UUID."""
    if not is_session_id(text.lower()):
        raise BadUsage(f"{text!r} is not a UUID; `uuidgen` prints one.")
    return text.lower()


def validate_query(query: str) -> str:
    """Return the query as valid UTF-8; raise BadUsage if it is empty."""
    # The database cannot store bytes from a shell that are not UTF-8.
    query = query.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not query.strip():
        raise BadUsage("The query is empty. Describe what Claude Code should do.")
    return query


def working_directory(path: str, *, create_with: int | None = None) -> str:
    """Return the absolute path of a working directory; raise BadUsage if it cannot be used.

    `create_with` is the user's umask with which to create a missing directory; None if it must exist.
    """
    absolute = _absolute(path)
    if create_with is not None and not os.path.lexists(absolute):
        _create(absolute, create_with)
    if not os.path.exists(absolute):
        raise BadUsage(f"The working directory {absolute} does not exist; add --create-dir to create it.")
    if not os.path.isdir(absolute):
        raise BadUsage(f"The working directory {absolute} is not a directory.")
    if not os.access(absolute, os.X_OK):
        raise BadUsage(f"You have no permission to enter the working directory {absolute}.")
    return str(absolute)


def _create(directory: Path, umask: int) -> None:
    own_umask = os.umask(umask)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadUsage(f"The working directory {directory} cannot be created: {error.strerror or error}.") from None
    finally:
        os.umask(own_umask)


def _existing_directory(path: str) -> str:
    absolute = _absolute(path)
    if not os.path.isdir(absolute):
        raise BadUsage(f"The additional directory {absolute} is not a directory.")
    return str(absolute)


def _absolute(path: str) -> Path:
    try:
        absolute = Path(path).expanduser().absolute()
    except (RuntimeError, OSError):
        raise BadUsage(f"{path} cannot be resolved: no such user, or the current directory is gone.") from None
    if not _is_utf8(str(absolute)):
        raise BadUsage(f"The path {str(absolute)!r} is not valid UTF-8, so it cannot be stored.")
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
        if (problem := mcp.configuration_error(server)) is not None:
            # Never show its values: they may be secrets.
            raise BadUsage(f"--mcp-config: the server {name!r} {problem}.")
    return config


def _agents(source: str) -> dict[str, Any] | None:
    """Return the definitions of agents; None if there are none. Claude Code judges their contents."""
    agents = replace_surrogates(_json_object("--agents", source)) if source.strip() else {}
    for name, definition in agents.items():
        if not isinstance(definition, dict):
            raise BadUsage(f"--agents: the agent {name!r} must be an object, with a description and a prompt.")
    return agents or None


def _json_schema(source: str) -> dict[str, Any] | None:
    """Return the schema; None for an empty text. Claude Code judges the rest, before the launch."""
    if not source.strip():
        return None
    schema: dict[str, Any] = replace_surrogates(_json_object("--json-schema", source))
    if is_deep(schema):
        raise BadUsage("--json-schema is nested too deeply; use a simpler one.")
    types = schema.get("type", "object")
    if "object" not in (types if isinstance(types, list) else [types]):
        # The result is the input of a tool, and so Claude Code would accept the schema and find that nothing fits.
        raise BadUsage(
            f'--json-schema: the result is always an object, and nothing can fit "type": {json.dumps(types)}; describe '
            "an object with the value as a property."
        )
    command_line.json_argument(schema)
    return schema


def _built_in_tools(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the tools; None for the usual ones. Claude Code ignores what it does not know here (2.1.332)."""
    for name in names:
        if "(" in name:
            tool = name.partition("(")[0]
            raise BadUsage(f"--tools {name}: write --tools {tool} --allowed-tools {shlex.quote(name)}.")
        if name.startswith("mcp__"):
            raise BadUsage(
                f"--tools {name}: the tools of MCP servers are there anyway; to forbid one: --disallowed-tools {name}."
            )
    if "default" in names and len(names) > 1:
        raise BadUsage("--tools default stands for the usual tools; write it alone, or the names of all tools.")
    return None if names == ("default",) else names


def _json_object(option: str, source: str) -> dict[str, Any]:
    if not source.strip():
        raise BadUsage(f"{option} needs a file or JSON.")
    is_json = source.lstrip()[0] in '{["'
    source_name = option if is_json else f"{option} {source}"
    try:
        value = json.loads(source if is_json else Path(source).expanduser().read_text(encoding="utf-8"))
    except (OSError, RuntimeError) as error:
        raise BadUsage(f"{source_name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{source_name} is not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadUsage(f"{source_name} must be a JSON object.")
    return value


def _variables(assignments: Sequence[str], launcher: Mapping[str, str]) -> dict[str, str]:
    variables = {}
    for assignment in assignments:
        name, has_value, value = assignment.partition("=")
        if not name:
            raise BadUsage("--env needs NAME or NAME=VALUE.")
        if len(name.split()) != 1 or name != name.strip():
            raise BadUsage(f"--env {name!r}: the name of a variable cannot contain blanks; write NAME=VALUE.")
        if not has_value and name not in launcher:
            raise BadUsage(f"--env {name}: this variable is not set; write {name}=VALUE to set it.")
        variables[name] = value if has_value else launcher[name]
    return variables
