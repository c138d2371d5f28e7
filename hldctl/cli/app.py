"""The command line as a whole: finds the command, runs it, turns errors into sentences and exit codes."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from hldctl import __version__
from hldctl.cli import click_classes, output, standard_streams
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
    "top": "top",
    "stats": "stats",
    "rm": "rm",
    "prune": "prune",
    "config": "config",
    "doctor": "doctor",
}
"""The module of each command, imported only when the command is run or described."""

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_KILLED_BY_SIGPIPE = 141
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Commands(click_classes.Suggesting, TyperGroup):
    """Imports a command's module when the command is asked for, so that each pays only for itself."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # For the suggestions that a mistyped command gets: the names are all that is read.
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        from hldctl.cli.help_text import SECTIONS

        rows = {name: load(name).get_short_help_str(formatter.width) for name in COMMANDS}
        for title, names in SECTIONS.items():
            with formatter.section(title):
                # As wide in each section.
                formatter.write_dl([(f"{name:<9}", rows.pop(name)) for name in names])
        if rows:
            with formatter.section("More"):
                formatter.write_dl(list(rows.items()))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from hldctl.cli.help_text import EXIT_CODES, TOP

        click_classes.write_examples(formatter, TOP)
        with formatter.section("Exit codes"):
            formatter.write_dl([(f"{code.value:<9}", meaning) for code, meaning in EXIT_CODES.items()])


def load(name: str) -> Any:
    """The command of that name, ready to run.

    A module may have SUBCOMMANDS; its `command` is then what comes before each of them, and is run without one, too.
    """
    module = importlib.import_module(f"hldctl.cli.commands.{COMMANDS[name]}")
    loaded = typer.Typer(name=name, add_completion=False, rich_markup_mode=None, context_settings=_SETTINGS)
    if subcommands := getattr(module, "SUBCOMMANDS", None):
        loaded.callback(cls=click_classes.Group, invoke_without_command=True)(module.command)
        for subcommand, function in subcommands.items():
            loaded.command(subcommand, cls=click_classes.Command)(function)
    else:
        loaded.command(name, cls=getattr(module, "COMMAND_CLASS", click_classes.Command))(module.command)
    return typer.main.get_command(loaded)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    # Ours are quicker, and say more: see `completion`.
    add_completion=False,
    context_settings=_SETTINGS,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hldctl {__version__}")
        raise typer.Exit


def _install_completion(wanted: bool) -> None:
    if wanted:
        from hldctl.cli.completion import install

        shell, path = install.install()
        print(f"{shell} completion installed in {path}; it begins with the next shell.")
        raise typer.Exit


def _show_completion(wanted: bool) -> None:
    if wanted:
        from hldctl.cli.completion import install

        print(install.script(install.shell()), end="")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    install: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            help="Install completion for the shell that this is typed in.",
            callback=_install_completion,
            is_eager=True,
        ),
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            help="Print the completion for it, to be installed by hand.",
            callback=_show_completion,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Run Claude Code in the background: sessions that outlive their terminal and lose nothing."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    if sys.platform == "win32":
        print("hldctl does not run on Windows; use it in WSL.", file=sys.stderr)
        sys.exit(ExitCode.ENVIRONMENT)
    standard_streams.prepare()
    # Claude Code gets the launcher's umask; hldctl's own files are private whatever it is.
    umask = os.umask(0o077)
    try:
        code = _run(_readable(arguments), umask)
    except OSError as error:
        # Others of the kind that name no file; those that do are met where the file is opened.
        if error is not standard_streams.failure() and (error.errno not in _UNWRITABLE or error.filename is not None):
            raise
        output.note_unwritable(error)
        code = ExitCode.ENVIRONMENT
    except Exception as error:
        # What was read may be damaged; not each place that reads can allow for that.
        from hldctl.cli import damaged_database

        if (sentence := damaged_database.sentence(error)) is None:
            raise
        output.note(sentence)
        code = ExitCode.ENVIRONMENT
    if code == ExitCode.DONE:
        _note_old_data()
    if (failure := standard_streams.flush()) is not None and code == ExitCode.DONE:
        code = _exit_code(failure)
    sys.exit(code)


def _note_old_data() -> None:
    """Say so where a full or read-only disk let only a part of the database be read."""
    fallback = sys.modules.get("hldctl.store.read_only")
    if fallback is not None and fallback.is_outdated():
        output.note(fallback.OUTDATED)


def _run(words: list[str], umask: int) -> int:
    """Run the command; return its exit code."""
    from typer._click.exceptions import ClickException

    try:
        return int(app(args=words, prog_name="hldctl", obj={"umask": umask}, standalone_mode=False) or 0)
    except SystemExit:
        # What typer makes of EPIPE is exit code 1, which means that a session failed.
        return _KILLED_BY_SIGPIPE
    except HldctlError as error:
        # One sentence on one line: a line of its own could pass for another message.
        output.note(str(error).replace("\n", "\\n"))
        return error.exit_code
    except ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        print(output.harmless(shown.getvalue()), end="", file=sys.stderr)
        return error.exit_code
    except typer.Abort:
        return ExitCode.INTERRUPTED


def _exit_code(failure: OSError) -> int:
    """The exit code of a command that did what it should, but whose output could not be written."""
    if failure.errno == errno.EPIPE:
        return _KILLED_BY_SIGPIPE
    if standard_streams.keeps_going():
        return ExitCode.UNWRITABLE
    output.note_unwritable(failure)
    return ExitCode.ENVIRONMENT


def _readable(arguments: Sequence[str] | None) -> list[str]:
    """The command's words, with what is no UTF-8 replaced: it would fit into no database and no sentence."""
    words = sys.argv[1:] if arguments is None else arguments
    return [word.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for word in words]
