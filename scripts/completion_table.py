"""Generator of `table.json`, the completion table: the options and arguments of each command."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from typer.core import TyperArgument, TyperGroup, TyperOption

from hldctl.cli import app
from hldctl.cli.completion.parser import Kind, Takes
from hldctl.config import schema
from hldctl.sessions.options import OPTIONS
from hldctl.store.completion import SessionFilter

# The sessions that a command can be used with; any session for commands not listed here.
_SESSIONS = {
    "interrupt": SessionFilter.ALIVE,
    "wait": SessionFilter.ALIVE,
    "continue": SessionFilter.BEGUN,
    "open": SessionFilter.BEGUN,
    "rm": SessionFilter.ENDED,
    "land": SessionFilter.ENDED,
    "approvals": SessionFilter.ASKING,
    "approve": SessionFilter.ASKING,
    "deny": SessionFilter.ASKING,
    "answer": SessionFilter.ASKING,
}

_OPTIONS: dict[str, Takes] = {
    "--name": Kind.NAME,
    "--group": Kind.GROUP,
    "--profile": Kind.PROFILE,
    "--tool": Kind.TOOL,
    "--host": Kind.HOST,
    "--base": Kind.REF,
    "--into": Kind.REF,
    **{option.all_flags[0]: list(option.suggestions) for option in OPTIONS.values() if option.suggestions},
}


def _values() -> dict[str, Takes]:
    """Return the possible values of the settings that have a fixed or suggested set of them."""
    declared = [option for _, option in schema.OPTIONS.values()]
    flags: dict[str, Takes] = {option.name: ["true", "false"] for option in declared if option.kind.is_flag}
    return flags | {option.name: list(option.suggestions) for option in declared if option.suggestions}


_METAVARS: dict[str, Takes | dict[str, Takes]] = {
    "KEY": list(schema.KEYS),
    "VALUE": _values(),
    "APPROVAL": Kind.REQUEST,
    "REQUEST": Kind.REQUEST,
    "CONVERSATION": Kind.FILE,
    "DIR": Kind.DIRECTORY,
    "FILE": Kind.FILE,
    "FILE|JSON": Kind.FILE,
    "SCRIPT": Kind.FILE,
}


def render_table() -> str:
    commands = {name: _command(name, app.load_command(name)) for name in app.COMMANDS}
    return _row("hldctl", app.root_command(), commands) + "\n"


def summary(help: str | None) -> str:
    """Return the first sentence of a help text."""
    paragraph = inspect.cleandoc(help or "").partition("\n\n")[0]
    return re.split(r"(?<=\.)\s", paragraph, maxsplit=1)[0].removesuffix(".")


def _command(name: str, command: Any) -> str:
    subcommands = command.commands if isinstance(command, TyperGroup) else {}
    return _row(name, command, {part: _command(f"{name} {part}", each) for part, each in subcommands.items()})


def _row(name: str, command: Any, subcommands: dict[str, str]) -> str:
    """Return the command as JSON, with one line for each option and subcommand, so that diffs are readable."""
    parameters = command.get_params(command.make_context(name, [], resilient_parsing=True))
    options = [_option(name, each) for each in parameters if isinstance(each, TyperOption)]
    arguments = [_argument(name, each) for each in parameters if isinstance(each, TyperArgument) and not each.hidden]
    lines = ",\n".join(json.dumps(option, ensure_ascii=False) for option in options)
    commands = "{" + ",".join(f'\n"{part}": {row}' for part, row in subcommands.items()) + "}"
    help_text = json.dumps(" ".join(summary(command.help).split()))
    return f"[{help_text}, [\n{lines}\n], {json.dumps(arguments)}, {commands}]"


def _option(command: str, option: TyperOption) -> list[Any]:
    """Return the fields of `hldctl.cli.completion.parser.Option`."""
    # The names of --help come in random order.
    names = sorted([*option.opts, *option.secondary_opts], key=lambda name: name.startswith("--"))
    has_own_value = option.is_flag or option.count or (option.metavar or "").startswith("[=")
    takes = None if has_own_value else _takes(command, option, names)
    return [names, option.help or "", takes, option.multiple]


def _argument(command: str, argument: TyperArgument) -> list[Any]:
    return [_takes(command, argument, []), argument.nargs == -1]


def _takes(command: str, parameter: TyperOption | TyperArgument, names: list[str]) -> Takes | dict[str, Takes]:
    if choices := getattr(parameter.type, "choices", None):
        return [str(getattr(choice, "value", choice)) for choice in choices]
    if values := next((_OPTIONS[name] for name in names if name in _OPTIONS), None):
        return values
    metavar = (parameter.metavar or "").strip("[]…")
    # Events of the feed have their own ids.
    if metavar == "ID" and (command, *names) != ("events", "--after"):
        return _SESSIONS.get(command, SessionFilter.ANY) if isinstance(parameter, TyperArgument) else SessionFilter.ANY
    return _METAVARS.get(metavar, Kind.TEXT)
