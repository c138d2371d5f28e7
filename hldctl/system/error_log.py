"""The supervisor's error log: sentences and tracebacks on standard error, which is `supervisor.log`."""

from __future__ import annotations

import contextlib
import os
import sys
from types import TracebackType

from hldctl.system.clock import current_time_ms, format_rfc3339


def log(sentence: str) -> None:
    """Write a line. Never raises: the log may be on a full disk."""
    with contextlib.suppress(Exception):
        os.write(2, f"{sentence}\n".encode())


def log_exception() -> None:
    """Write the time and the traceback of the exception that is being handled. Never raises."""
    _log_time()
    with contextlib.suppress(Exception):
        # The interpreter's own writer works even when no more files can be opened.
        sys.__excepthook__(*sys.exc_info())


def log_uncaught_exceptions() -> None:
    """Install an exception hook that writes the time before the traceback."""
    sys.excepthook = _log_uncaught


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log_time()
    sys.__excepthook__(kind, error, trace)


def _log_time() -> None:
    # Without `logging`, whose import would cost each supervisor memory.
    log(str(format_rfc3339(current_time_ms())))
