"""What goes wrong, told to the session's log."""

from __future__ import annotations

import contextlib
import traceback


def log_trouble() -> None:
    """The traceback of the exception that is being handled; never raises, for the log may be on the full disk."""
    with contextlib.suppress(Exception):
        traceback.print_exc()
