"""The options of `launch` and `continue`, generated from `hldctl.settings` and `SessionOptions`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import EnumMeta
from pathlib import Path
from typing import Annotated, Any, TextIO, get_type_hints

import typer

from hldctl.cli import output
from hldctl.cli.params import parser
from hldctl.cli.terminal import rich_console
from hldctl.errors import BadUsage
from hldctl.sessions.options import OPTIONS, SessionOptions, session_options, session_uuid
from hldctl.settings.option import Option, Section


def _annotation(name: str) -> Any:
    """Return the annotation of an option for typer; the option's value is None if it is not given."""
    option = OPTIONS[name]
    kind = option.kind
    attributes: dict[str, Any] = {
        "help": option.help,
        "metavar": option.metavar or kind.metavar,
        "rich_help_panel": option.section,
    }
    type_: Any = str
    if kind.is_flag:
        type_, attributes["metavar"] = bool, None
    elif kind.is_list:
        type_ = list[str]
    elif isinstance(kind.parse, EnumMeta):
        type_ = kind.parse
    elif kind.parse is not None:
        attributes["parser"] = parser(kind.parse)
    return Annotated[type_ | None, typer.Option(*option.all_flags, **attributes)]


Effort = _annotation("effort")
AutoAcceptEdits = _annotation("auto_accept_edits")
Model = _annotation("model")
PermissionMode = _annotation("permission_mode")
SkipPermissions = _annotation("dangerously_skip_permissions")
SkipTimeout = _annotation("dangerously_skip_permissions_timeout")


@dataclass(frozen=True)
class AttachOptions:
    """What `launch` and `continue` do after the launch: wait, follow, or print."""

    wait: bool
    follow: bool
    as_json: bool
    quiet: bool

    @property
    def is_attached(self) -> bool:
        """True if the command waits for the end of the session."""
        return self.wait or self.follow

    @property
    def is_drawn(self) -> bool:
        """True if the conversation is formatted for a terminal."""
        if not self.follow or (self.as_json and not self.wait):
            return False
        return rich_console.can_draw(self.conversation_stream)

    @property
    def conversation_stream(self) -> TextIO:
        """The stream for the conversation: with --wait, standard output is for the result alone."""
        return sys.stderr if self.wait else sys.stdout


@dataclass(frozen=True)
class _AttachParameters:
    """The other options of `launch` and `continue`, as typer declares them."""

    session_id: Annotated[
        str | None,
        typer.Option(
            "--as",
            parser=parser(session_uuid),
            metavar="UUID",
            help="The id of the new session. If there is such a session, print its id as if it had been launched now.",
            rich_help_panel=Section.UNATTENDED,
            hidden=True,
        ),
    ] = None
    query_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the query from a file.", rich_help_panel=Section.TASK)
    ] = None
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait for the end and print the result, as `claude -p` does; Ctrl-C interrupts the session.",
            rich_help_panel=Section.OUTPUT,
        ),
    ] = False
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Print the conversation until the session ends, with --wait on standard error; Ctrl-C interrupts the "
            "session.",
            rich_help_panel=Section.OUTPUT,
        ),
    ] = False
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the session as JSON.", rich_help_panel=Section.OUTPUT)
    ] = False
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="Print only the id or the result, and errors.", rich_help_panel=Section.OUTPUT
        ),
    ] = False


@dataclass(frozen=True)
class LaunchOptions:
    """The options given on the command line."""

    values: dict[str, Any]
    """Values of the session's options, by name; None if not given."""
    session_id: str | None
    """The id of the new session; None for any."""
    query_file: Path | None
    attach: AttachOptions

    def session_options(self, extra_arguments: tuple[str, ...]) -> SessionOptions:
        """Return the options of the session; `extra_arguments` are passed to Claude Code unchanged."""
        values = dict(self.values)
        for name, option in OPTIONS.items():
            if option.kind.is_list:
                values[name] = _listed_values(option, values[name]) if values[name] else None
        return session_options(values, extra_arguments or None)


def _listed_values(option: Option, texts: list[str]) -> tuple[str, ...]:
    try:
        return option.from_texts(texts)
    except BadUsage as error:
        raise BadUsage(f"{option.all_flags[0]}: {error}") from None


def add_session_options(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes these options after its own parameters and passes them to `function` as `options`."""
    own = [parameter for parameter in _parameters(function) if parameter.name != "options"]
    hints = get_type_hints(_AttachParameters, include_extras=True)
    session = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name))
        for name in OPTIONS
    ]
    attach = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(_AttachParameters)
    ]

    def command(**values: Any) -> None:
        given = {parameter.name: values.pop(parameter.name) for parameter in session}
        session_id, query_file, *rest = (values.pop(parameter.name) for parameter in attach)
        options = LaunchOptions(given, session_id, query_file, AttachOptions(*rest))
        if not options.attach.quiet:
            _warn_about_tools(given)
        function(**values, options=options)

    command.__doc__ = function.__doc__
    # typer reads both of them.
    parameters = [*own, *session, *attach]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a convention of inspect
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _warn_about_tools(given: dict[str, Any]) -> None:
    """Warn about names that are probably misspelled: Claude Code ignores rules for unknown tools."""
    for option in (OPTIONS["allowed_tools"], OPTIONS["disallowed_tools"], OPTIONS["tools"]):
        for rule in option.from_texts(given[option.name] or []):
            # Imported here: most sessions are launched without such options.
            from hldctl.claude.tool_names import similar_tool

            if (tool := similar_tool(rule)) is not None:
                output.print_note(
                    f"warning: {option.all_flags[0]} {rule}: Claude Code has no tool of this name; did you mean {tool}?"
                )


def _parameters(function: Callable[..., None]) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())
