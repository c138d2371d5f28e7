"""Noticing that the terminal has another size."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hldctl.host.paths import touch


@contextmanager
def resized() -> Iterator[Path]:
    """A file that is touched then: what sleeps on files is woken by it, which a signal's handler alone does not do."""
    with tempfile.NamedTemporaryFile(prefix="hldctl-resized-") as file:

        def note(number: int, frame: FrameType | None) -> None:
            touch(file.name)

        former = signal.signal(signal.SIGWINCH, note)
        try:
            yield Path(file.name)
        finally:
            signal.signal(signal.SIGWINCH, former)
