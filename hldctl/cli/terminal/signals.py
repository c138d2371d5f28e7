"""Signal handling while a command uses the terminal."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from hldctl.errors import ExitCode

_EXIT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REPEAT_SECONDS = 0.5


@contextmanager
def exit_on_signal(*numbers: signal.Signals) -> Iterator[None]:
    """Leave the block by an exception when a signal arrives, so that changes of the terminal are undone.

    After Ctrl-C the command then exits with code 130; SIGTERM and SIGHUP then kill the process as they would have done
    at once. `numbers` selects other signals than these three. SIGTERM and SIGHUP stay ignored if the parent process has
    made us ignore them.

    The exception is raised repeatedly until the block has ended: Python drops one that is raised in a destructor, and a
    script that sends one SIGINT does not send a second. Later signals change nothing: the command exits anyway.
    """
    received: list[signal.Signals] = []
    handled = [number for number in numbers or _EXIT_SIGNALS if not _is_ignored(number)]

    def leave(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            if received:
                return
            received.append(signal.Signals(number))
            # A flood of signals would leave no time for the exit, even if the handler does nothing.
            signal.pthread_sigmask(signal.SIG_BLOCK, handled)
        signal.setitimer(signal.ITIMER_REAL, _REPEAT_SECONDS)
        raise KeyboardInterrupt

    former = {number: signal.signal(number, leave) for number in (*handled, signal.SIGALRM)}
    try:
        yield
    except BaseException:
        # After a signal other errors are ignored, such as those of a terminal that is gone.
        if not received:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in former.items():
            if not received or number == signal.SIGALRM:
                signal.signal(number, handler)
    if received:
        _exit(received[0])


def die(number: signal.Signals) -> None:
    """Die of the signal, so that the parent process sees it."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    signal.raise_signal(number)


def _is_ignored(number: signal.Signals) -> bool:
    # A shell makes background commands ignore SIGINT, too, but scripts send it to them.
    return number != signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN


def _exit(number: signal.Signals) -> None:
    if number == signal.SIGINT:
        raise typer.Exit(ExitCode.INTERRUPTED)
    die(number)


_HANDLED_SIGNALS = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM),
    *(signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH),
)


@contextmanager
def block_signals() -> Iterator[None]:
    """Block signals, so that no handler runs between changing the terminal and recording the change."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
