"""`table.json`, from which shells complete: what each command takes, as its options and metavars say."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from hldctl.cli import app
from hldctl.cli.completion.kind import Kind
from hldctl.host import configuration
from hldctl.store.candidates import Which

_SESSIONS = {
    "interrupt": Which.ALIVE,
    "wait": Which.ALIVE,
    "continue": Which.BEGUN,
    "rm": Which.ENDED,
    "approvals": Which.ASKING,
    "approve": Which.ASKING,
    "deny": Which.ASKING,
}
"""Which sessions a command does something with; any, unless named here."""

_OPTIONS: dict[str, str | list[str]] = {
    "--name": Kind.NAME,
    "--group": Kind.GROUP,
    "--tool": Kind.TOOL,
    "--permission-mode": ["default", "acceptEdits", "plan", "auto", "dontAsk", "manual", "bypassPermissions"],
    "--model": ["opus", "sonnet", "haiku"],
}
_METAVARS: dict[str, str | list[str]] = {
    "KEY": list(configuration.KEYS),
    "APPROVAL": Kind.REQUEST,
    "DIR": Kind.DIRECTORY,
    "FILE": Kind.FILE,
    "FILE|JSON": Kind.FILE,
    "SCRIPT": Kind.FILE,
}


def text() -> str:
    root = _command("hldctl", typer.main.get_command(app.app))
    commands = ",\n".join(f'"{name}": {_command(name, app.load(name))}' for name in app.COMMANDS)
    return f"[{root}, {{\n{commands}\n}}]\n"


def summary(help: str | None) -> str:
    """The first sentence."""
    paragraph = inspect.cleandoc(help or "").partition("\n\n")[0]
    return re.split(r"(?<=\.)\s", paragraph, maxsplit=1)[0].removesuffix(".")


def _command(name: str, command: Any) -> str:
    """In JSON, with a line for each option, so that changes can be read."""
    parameters = command.get_params(command.make_context(name, [], resilient_parsing=True))
    below = list(command.commands.values()) if isinstance(command, TyperGroup) and name != "hldctl" else []
    options = [_option(name, each) for each in parameters if isinstance(each, TyperOption) and not each.hidden]
    arguments = [_argument(name, each) for each in parameters if isinstance(each, TyperArgument) and not each.hidden]
    if below:
        # The name of one, and what the one takes that takes most.
        most = max(([each for each in one.params if isinstance(each, TyperArgument)] for one in below), key=len)
        arguments = [[[one.name for one in below], False], *(_argument(name, each) for each in most)]
    lines = ",\n".join(json.dumps(option, ensure_ascii=False) for option in options)
    return f"[{json.dumps(' '.join(summary(command.help).split()))}, [\n{lines}\n], {json.dumps(arguments)}]"


def _option(command: str, option: TyperOption) -> list[Any]:
    """As `hldctl.cli.completion.table.Option` has it."""
    # Those of --help come in any order.
    names = sorted([*option.opts, *option.secondary_opts], key=lambda name: name.startswith("--"))
    takes = None if option.is_flag or option.count else _takes(command, option, names)
    return [names, option.help or "", takes, option.multiple]


def _argument(command: str, argument: TyperArgument) -> list[Any]:
    return [_takes(command, argument, []), argument.nargs == -1]


def _takes(command: str, parameter: TyperOption | TyperArgument, names: list[str]) -> str | list[str]:
    if choices := getattr(parameter.type, "choices", None):
        return [str(getattr(choice, "value", choice)) for choice in choices]
    if known := next((_OPTIONS[name] for name in names if name in _OPTIONS), None):
        return known
    metavar = (parameter.metavar or "").strip("[]…")
    # The feed's events have ids of their own.
    if metavar == "ID" and "--after" not in names:
        return _SESSIONS.get(command, Which.ANY)
    return _METAVARS.get(metavar, Kind.TEXT)
