"""Leaving a command that follows, by Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from hldctl.errors import ExitCode

_AGAIN_SECONDS = 0.5


@contextmanager
def left_by_ctrl_c() -> Iterator[None]:
    """Makes the exit code 130 of an interrupt, which is delivered again until it has ended the block.

    Python drops an exception that meets it in a destructor, and a script that sends one SIGINT sends no second.
    """
    former = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGALRM)}
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in former.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
    raise KeyboardInterrupt
