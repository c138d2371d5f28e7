"""Leaving a command that follows: by Ctrl-C, or because somebody ends it, or its terminal goes.

Keeping signals off for a moment."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from hldctl.errors import ExitCode

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_SECONDS = 0.5


@contextmanager
def left_by_signal(*numbers: signal.Signals) -> Iterator[None]:
    """Has a signal leave the block by an exception, so that whatever was done to the terminal is undone.

    After that Ctrl-C makes exit code 130; of SIGTERM and SIGHUP the process dies, as it would have at once. All three
    are heeded unless `numbers` says which, but for a SIGTERM or SIGHUP that whoever started us has it ignore.

    The exception comes again until the block has ended: Python drops one that meets it in a destructor, and a script
    that sends one SIGINT sends no second.
    """
    came: list[signal.Signals] = []

    def leave(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            came.append(signal.Signals(number))
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        raise KeyboardInterrupt

    heeded = [number for number in numbers or _ENDING if not _is_ignored(number)]
    former = {number: signal.signal(number, leave) for number in (*heeded, signal.SIGALRM)}
    try:
        yield
    except BaseException:
        # Once a signal has come nothing else counts, such as what a terminal that is gone has to say.
        if not came:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in former.items():
            signal.signal(number, handler)
    if came:
        _leave(came[0])


def die(number: signal.Signals) -> None:
    """Of the signal, for whoever started us to see."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _is_ignored(number: signal.Signals) -> bool:
    # A shell has the commands that it runs in the background ignore SIGINT, too; yet scripts send it to them.
    return number != signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN


def _leave(number: signal.Signals) -> None:
    if number == signal.SIGINT:
        raise typer.Exit(ExitCode.INTERRUPTED)
    die(number)


_DISTURBING = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM),
    *(signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH),
)


@contextmanager
def blocked_signals() -> Iterator[None]:
    """No signal's handler comes between what is done to the terminal and the note that it was done."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _DISTURBING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
