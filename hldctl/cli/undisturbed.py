"""Keeping signals off for a moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_DISTURBING = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM),
    *(signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH),
)


@contextmanager
def undisturbed() -> Iterator[None]:
    """No signal's handler comes between what is done to the terminal and the note that it was done."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _DISTURBING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
