"""Giving the terminal to another program for a while.

Long output goes through the user's pager, as git's does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress

from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import blocked_signals
from hldctl.errors import UnfitEnvironment

_LEAVING_SECONDS = 5.0


def run_in_foreground(command: Sequence[str]) -> int:
    """Its exit code. Ctrl-C is its own; whoever ends us ends it as well, so that it puts the terminal back."""
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(command)
        try:
            return process.wait()
        except BaseException:
            with blocked_signals():
                _end(process)
            raise
    finally:
        signal.signal(signal.SIGINT, former)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_LEAVING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


_NOT_FOUND = 127
"""What a shell says of a command that it does not know."""


@contextmanager
def paged() -> Iterator[None]:
    """What is printed in the block is read in `$PAGER`, `less` unless that is set.

    Straight to where it would go anyway in a pipe, with `PAGER=cat`, and where there is no pager.
    """
    pager = os.environ.get("PAGER", shutil.which("less") or "")
    if not rich_console.is_drawn() or pager in ("", "cat"):
        yield
        return
    process = subprocess.Popen(
        ["/bin/sh", "-c", pager],
        stdin=subprocess.PIPE,
        encoding=sys.stdout.encoding,
        errors="backslashreplace",
        # As git: left at once if all fits on the screen, and the screen stays as it is.
        env={"LESS": "FRX", **os.environ},
    )
    assert process.stdin is not None
    # Ctrl-C is the pager's, which stays.
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # The reader may leave before the end.
        with suppress(BrokenPipeError), process.stdin as pipe, redirect_stdout(pipe):
            yield
    finally:
        code = process.wait()
        signal.signal(signal.SIGINT, former)
    if code == _NOT_FOUND:
        raise UnfitEnvironment(f"The pager {pager!r} cannot be run; PAGER names it.")
