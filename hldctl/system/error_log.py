"""What goes wrong, told to the session's log."""

from __future__ import annotations

import contextlib
import os
import sys


def log(sentence: str) -> None:
    """Never raises, for the log may be on the full disk."""
    with contextlib.suppress(Exception):
        os.write(2, f"{sentence}\n".encode())


def log_trouble() -> None:
    """The traceback of the exception that is being handled; never raises, for the log may be on the full disk."""
    with contextlib.suppress(Exception):
        # The interpreter's own writer, which is there also when no file can be opened any more.
        sys.__excepthook__(*sys.exc_info())
