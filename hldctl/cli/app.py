"""The command line as a whole: finds the command, runs it, turns errors into sentences and exit codes."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from hldctl import __version__
from hldctl.errors import ExitCode, HldctlError

COMMANDS = {
    "launch": "launch",
    "continue": "continue_",
    "interrupt": "interrupt",
    "ls": "ls",
    "show": "show",
    "tail": "tail",
    "wait": "wait",
    "set": "set_",
    "approvals": "approvals",
    "approve": "approve",
    "deny": "deny",
    "events": "events",
    "export": "export",
    "rm": "rm",
    "prune": "prune",
    "doctor": "doctor",
}
"""The module of each command, imported only when the command is run or described."""

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_KILLED_BY_SIGPIPE = 141


class CommandWithRest(TyperCommand):
    """A command that hands on what stands behind `--`, as `rest`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        split = args.index("--") if "--" in args else len(args)
        ctx.meta["rest"] = tuple(args[split + 1 :])
        return super().parse_args(ctx, args[:split])


class _ReaderGone(Exception):
    """Nobody reads standard output any more."""


class _Commands(TyperGroup):
    """Imports a command's module when the command is asked for, so that each pays only for itself."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load(cmd_name) if cmd_name in COMMANDS else None

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            # typer would make exit code 1 of it, which means that a session failed.
            raise _ReaderGone from None
        return result

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # For the suggestions that a mistyped command gets.
        if args and args[0] not in COMMANDS:
            self.commands = {name: load(name) for name in COMMANDS}
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """The command of that name, ready to run."""
    module = importlib.import_module(f"hldctl.cli.{COMMANDS[name]}")
    single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=_SETTINGS)
    single.command(name, cls=getattr(module, "COMMAND_CLASS", TyperCommand))(module.command)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_SETTINGS,
    epilog="Exit codes: 0 done, 1 the session failed, 2 wrong usage, 3 no such session, 4 not in this state, "
    "5 unfit environment, 124 timed out, 130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hldctl {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Run Claude Code in the background: sessions that outlive their terminal and lose nothing."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    if sys.platform == "win32":
        print("hldctl does not run on Windows; use it in WSL.", file=sys.stderr)
        sys.exit(ExitCode.ENVIRONMENT)
    for stream in (sys.stdout, sys.stderr):
        # A terminal or locale without UTF-8 is shown what it cannot show as escapes.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Claude Code gets the launcher's umask; hldctl's own files are private whatever it is.
    umask = os.umask(0o077)
    try:
        app(args=_readable(arguments), prog_name="hldctl", obj={"umask": umask})
    except HldctlError as error:
        print(f"hldctl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except _ReaderGone:
        # What is still in the buffer would raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_KILLED_BY_SIGPIPE)
    sys.exit(ExitCode.DONE)


def _readable(arguments: Sequence[str] | None) -> list[str]:
    """The command's words, with what is no UTF-8 replaced: it would fit into no database and no sentence."""
    words = sys.argv[1:] if arguments is None else arguments
    return [word.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for word in words]
