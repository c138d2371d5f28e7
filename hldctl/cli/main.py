"""Entry point of the `hldctl` executable; starts slow work, such as the supervisor, before other imports."""

from __future__ import annotations

import errno
import os
import sys
from typing import NoReturn

from hldctl.cli import standard_streams
from hldctl.errors import ExitCode
from hldctl.system import interpreter

_LAUNCH_COMMANDS = ("launch", "continue")
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
    if shell := os.environ.get("_HLDCTL_COMPLETE"):
        from hldctl.cli.completion import main

        main.main(shell, arguments)
        sys.exit(ExitCode.DONE)
    if (
        sys.platform != "win32"
        and arguments[:1]
        and arguments[0] in _LAUNCH_COMMANDS
        and not {"-h", "--help"} & set(arguments)
    ):
        from hldctl.sessions import spawn

        spawn.prestart()
    from hldctl.cli import app

    app.main()
