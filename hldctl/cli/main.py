"""Entry point of the `hldctl` executable; starts slow work, such as the supervisor, before other imports."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from hldctl.cli import host_option, standard_streams
from hldctl.errors import ExitCode, HldctlError
from hldctl.system import interpreter

_LAUNCH_COMMANDS = ("launch", "continue")
_INTENT_COMMANDS = ("approve", "deny", "answer", "send", "interrupt", "close", "set", "continue")
# Of a container whose command is hldctl.
_FIRST_PID = 1
_EXHAUSTION_ERRNOS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def main() -> NoReturn:
    if os.getpid() == _FIRST_PID:
        from hldctl.system import first_process

        first_process.fork_command()
    interpreter.reduce_garbage_collection()
    interpreter.limit_interrupts()
    standard_streams.replace_streams()
    try:
        _run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            interpreter.exit_fast(end.code or 0)
        raise
    except KeyboardInterrupt:
        # While modules were imported: typer handles the others.
        sys.exit(ExitCode.INTERRUPTED)
    except OSError as error:
        # Exhausted resources can fail anywhere: Python itself opens a file for each module.
        if error.errno not in _EXHAUSTION_ERRNOS:
            raise
        print(f"hldctl: Out of system resources: {error.strerror} (see `ulimit -a`).", file=sys.stderr)
        sys.exit(ExitCode.ENVIRONMENT)


def _run() -> NoReturn:
    arguments = sys.argv[1:]
    if arguments[:1] == ["_serve"]:
        arguments = _receive(arguments)
    elif arguments[:1] == ["_perform"]:
        arguments = _perform(arguments)
    if shell := os.environ.get("_HLDCTL_COMPLETE"):
        _complete(shell, arguments)
    if host_option.may_name_host(arguments, os.environ):
        _run_elsewhere(arguments)
    if arguments[:1] and arguments[0] in _INTENT_COMMANDS and _is_in_fleet():
        _ask_elsewhere(arguments)
    if (
        sys.platform != "win32"
        and arguments[:1]
        and arguments[0] in _LAUNCH_COMMANDS
        and not {"-h", "--help"} & set(arguments)
        and not any(word.startswith("--on=") or word == "--on" for word in arguments)
    ):
        from hldctl.sessions import spawn

        spawn.prestart()
    from hldctl.cli import app

    app.main()


def _receive(arguments: list[str]) -> list[str]:
    """Return the command line that another machine sends; raise SystemExit if it cannot be used, or is done."""
    from hldctl.cli.remote import serve

    with _errors_printed():
        request = serve.receive(arguments[-1])
    if request.completes:
        _complete("zsh", request.words)
    sys.argv[1:] = request.words
    return request.words


def _complete(shell: str, words: list[str]) -> NoReturn:
    from hldctl.cli.completion import main

    # bash hands over the whole line.
    if host_option.may_name_host([part for word in words for part in word.split()], os.environ):
        from hldctl.cli.remote.completion import ask

        main.main(shell, words, ask)
    else:
        main.main(shell, words)
    sys.exit(ExitCode.DONE)


def _run_elsewhere(arguments: list[str]) -> None:
    """Run the command on the machine that it names, and exit as it does; return if it names none."""
    from hldctl.cli import command_line

    with _errors_printed():
        if (line := command_line.parse(arguments)).host is not None:
            from hldctl.cli.remote import client

            sys.exit(client.run(line))


def _perform(arguments: list[str]) -> list[str]:
    """Return the command line that another machine asks for through the record; raise SystemExit if it must not run."""
    from hldctl.cli.intents import perform

    sys.argv[1:] = perform.receive(arguments[-1])
    return sys.argv[1:]


def _is_in_fleet() -> bool:
    from hldctl.paths import StateDirectory

    return StateDirectory.from_environment().fleet.has_joined


def _ask_elsewhere(arguments: list[str]) -> None:
    """Ask other machines of the fleet for the command, and exit as it does; return if it is for sessions here."""
    with _errors_printed():
        from hldctl.cli.intents import dispatch

        code = dispatch.run(arguments)
    if code is not None:
        sys.exit(code)


@contextmanager
def _errors_printed() -> Iterator[None]:
    """Print an error as the commands here do, and exit with its code."""
    try:
        yield
    except HldctlError as error:
        from hldctl.cli import output

        output.print_error(error)
        sys.exit(error.exit_code)
