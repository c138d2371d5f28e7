"""The current text of a file that a tool call would replace."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# Bytes. A diff of more takes seconds, and nobody reads it line by line.
_MAX_SIZE = 200_000


def current_text(path: str) -> str | None:
    """Return the text of a file; None if there is none, or if it is long, not text or not a regular file.

    The path comes from the model. A device or a pipe is not opened, since that may have an effect, or wait.
    """
    file = Path(path)
    try:
        status = file.stat()
        if not file.is_absolute() or not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SIZE:
            return None
        # The file may have been replaced by a pipe.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as opened:
            return opened.read(_MAX_SIZE).decode()
    except (OSError, ValueError):
        return None
