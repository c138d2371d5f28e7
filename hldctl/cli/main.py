"""Where `hldctl` begins: what takes long to load is begun first."""

from __future__ import annotations

import errno
import os
import sys
from typing import NoReturn

from hldctl.cli import standard_streams
from hldctl.errors import ExitCode
from hldctl.system import interpreter

_LAUNCHING = ("launch", "continue")
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def main() -> NoReturn:
    interpreter.collect_rarely()
    standard_streams.prepare()
    try:
        _run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            interpreter.leave(end.code or 0)
        raise
    except OSError as error:
        # Of the machine, and met anywhere: Python itself opens a file for each module.
        if error.errno not in _EXHAUSTED:
            raise
        print(
            f"hldctl: The machine refuses what is needed to go on: {error.strerror}; see `ulimit -a`.", file=sys.stderr
        )
        sys.exit(ExitCode.ENVIRONMENT)


def _run() -> NoReturn:
    words = sys.argv[1:]
    if shell := os.environ.get("_HLDCTL_COMPLETE"):
        from hldctl.cli.completion import main

        main.main(shell, words)
        sys.exit(ExitCode.DONE)
    if sys.platform != "win32" and words[:1] and words[0] in _LAUNCHING and not {"-h", "--help"} & set(words):
        from hldctl.sessions import spawn

        spawn.prestart()
    from hldctl.cli import app

    app.main()
