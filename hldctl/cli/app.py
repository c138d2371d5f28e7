"""Command line entry point: dispatches to a command and maps errors to messages and exit codes."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from hldctl.cli import click_classes, host_option, output, standard_streams
from hldctl.errors import ExitCode, HldctlError
from hldctl.version import __version__

COMMANDS = {
    "launch": "launch",
    "continue": "continue_",
    "send": "send",
    "close": "close",
    "open": "open_",
    "import": "import_",
    "interrupt": "interrupt",
    "ls": "ls",
    "show": "show",
    "tail": "tail",
    "wait": "wait",
    "set": "set_",
    "approvals": "permissions.approvals",
    "approve": "permissions.approve",
    "deny": "permissions.deny",
    "answer": "permissions.answer",
    "search": "search",
    "events": "events",
    "export": "export",
    "top": "top",
    "stats": "stats",
    "diff": "worktrees.diff",
    "land": "worktrees.land",
    "rm": "rm",
    "prune": "prune",
    "fleet": "fleet.group",
    "mcp": "mcp",
    "schema": "schema",
    "config": "config",
    "doctor": "doctor",
}
"""The module of each command; imported only to run the command or to print its help."""

_CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}
_WRITE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _LazyCommands(click_classes.UnknownCommandMixin, TyperGroup):
    """Command group that imports a command's module on first use, to keep the start-up time of the others low."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        from hldctl.cli.help_text import SECTIONS

        rows = {name: load_command(name).get_short_help_str(formatter.width) for name in COMMANDS}
        for title, names in SECTIONS.items():
            with formatter.section(title):
                # The same width in each section.
                formatter.write_dl([(f"{name:<9}", rows.pop(name)) for name in names])
        if rows:
            with formatter.section("More"):
                formatter.write_dl(list(rows.items()))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from hldctl.cli.help_text import EXIT_CODE_MEANINGS, MAIN_EXAMPLES

        click_classes.write_examples(formatter, MAIN_EXAMPLES)
        with formatter.section("Exit codes"):
            formatter.write_dl([(f"{code.value:<9}", meaning) for code, meaning in EXIT_CODE_MEANINGS.items()])


def load_command(name: str) -> Any:
    """Import the command `name` and return it, ready to run.

    If the module has SUBCOMMANDS, its `command` runs before each of them, and also without a subcommand.
    """
    module = importlib.import_module(f"hldctl.cli.commands.{COMMANDS[name]}")
    loaded = typer.Typer(name=name, add_completion=False, rich_markup_mode=None, context_settings=_CONTEXT_SETTINGS)
    if subcommands := getattr(module, "SUBCOMMANDS", None):
        loaded.callback(cls=click_classes.Group, invoke_without_command=True)(module.command)
        for subcommand, function in subcommands.items():
            loaded.command(subcommand, cls=click_classes.Command)(function)
    else:
        loaded.command(name, cls=getattr(module, "COMMAND_CLASS", click_classes.Command))(module.command)
    return host_option.add_to(typer.main.get_command(loaded))


app = typer.Typer(
    cls=_LazyCommands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    # hldctl has its own completion, which is faster and shows more: see `completion`.
    add_completion=False,
    context_settings=_CONTEXT_SETTINGS,
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print(f"hldctl {__version__}")
        raise typer.Exit


def _install_completion(is_requested: bool) -> None:
    if is_requested:
        from hldctl.cli.completion import install

        done = install.install()
        print(f"{done.shell} completion installed in {done.script}. Open a new shell to use it.")
        if done.startup_file is not None:
            print(f"{done.startup_file} was changed to load it.")
        raise typer.Exit


def _show_completion(is_requested: bool) -> None:
    if is_requested:
        from hldctl.cli.completion import install

        print(install.read_script(install.detect_shell()), end="")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    install: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            help="Install completion for the current shell.",
            callback=_install_completion,
            is_eager=True,
        ),
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            help="Print the completion script for the current shell.",
            callback=_show_completion,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Run Claude Code sessions in the background. They survive a closed terminal and lose no data."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line `arguments` (default: sys.argv) and exit with its exit code."""
    if sys.platform == "win32":
        print("hldctl does not run on Windows; use it in WSL.", file=sys.stderr)
        sys.exit(ExitCode.ENVIRONMENT)
    standard_streams.replace_streams()
    # Claude Code gets the launcher's umask; hldctl's own files are always private.
    umask = os.umask(0o077)
    try:
        code = _run(_replace_invalid_utf8(arguments), umask)
    except OSError as error:
        # Handle failed writes to standard output and disk errors without a file name. An error that names a file is
        # handled where the file is opened.
        if error is not standard_streams.write_error() and (
            error.errno not in _WRITE_ERRNOS or error.filename is not None
        ):
            raise
        output.print_write_error(error)
        code = ExitCode.ENVIRONMENT
    except Exception as error:
        # The cause may be a damaged database, which not every reader checks for.
        from hldctl.cli import damaged_database

        if (message := damaged_database.damage_message(error)) is None:
            raise
        output.print_note(message)
        code = ExitCode.ENVIRONMENT
    if code == ExitCode.DONE:
        _note_old_data()
    if (failure := standard_streams.flush()) is not None and code == ExitCode.DONE:
        code = output.exit_code_of_failure(failure)
    sys.exit(code)


def _note_old_data() -> None:
    """Print a note if a full or read-only disk made part of the database unreadable."""
    if "hldctl.store.read_only" not in sys.modules:
        return
    # A plain import, so that mypy checks the names.
    from hldctl.store import read_only

    if read_only.is_outdated():
        output.print_note(read_only.OUTDATED_WARNING)


def _run(arguments: list[str], umask: int) -> int:
    """Run the command and return its exit code."""
    from typer._click.exceptions import ClickException, NoArgsIsHelpError

    try:
        given = _replace_help_words(arguments)
        return int(
            root_command()(args=given, prog_name="hldctl", obj={"umask": umask, "words": given}, standalone_mode=False)
            or 0
        )
    except SystemExit:
        # On EPIPE typer exits with 1, which would mean that a session failed.
        return output.SIGPIPE_EXIT_CODE
    except HldctlError as error:
        output.print_error(error)
        return error.exit_code
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except ClickException as error:
        from hldctl.cli import mistakes

        output.print_note(mistakes.describe(error, arguments).replace("\n", "\\n"))
        return error.exit_code
    except typer.Abort:
        return ExitCode.INTERRUPTED


def root_command() -> Any:
    """Return `hldctl` as a command that can be run or described."""
    return host_option.add_to(typer.main.get_command(app))


def _replace_help_words(arguments: list[str]) -> list[str]:
    """Return the arguments with `help COMMAND` and `version`, as other tools have them, replaced by the options."""
    match arguments:
        case ["help", *command]:
            return [*command, "--help"]
        case ["version"]:
            return ["--version"]
    return arguments


def _replace_invalid_utf8(arguments: Sequence[str] | None) -> list[str]:
    """Return the arguments with invalid UTF-8 replaced: neither the database nor a message could hold it."""
    texts = sys.argv[1:] if arguments is None else arguments
    return [text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in texts]
