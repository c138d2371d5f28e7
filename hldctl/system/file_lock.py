"""Locks that the kernel drops with their holder: who supervises a session, and who migrates the database.

flock directly rather than through filelock: readers have to probe without disturbing one another, which needs shared
locks, and each supervisor would pay 1.2 MB and 28 ms for the import.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from hldctl.paths import PRIVATE_FILE, unusable

_PROBED_SECONDS = 0.1
"""Longer than any probe holds a lock."""


def acquire(path: Path, timeout: float) -> int | None:
    """Takes the lock for as long as this process lives; None if another still holds it after `timeout` seconds.

    A probe holds the lock for microseconds, so a refusal counts only once the timeout has passed.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    if _is_locked_within(descriptor, timeout):
        return descriptor
    os.close(descriptor)
    return None


def hold(descriptor: int) -> None:
    """Lock a file that a child is to inherit: for as long as the child keeps it open the lock is not free.

    Nothing depends on it but what is seen from other PID namespaces, so that a file system without locks does no harm.
    """
    with contextlib.suppress(OSError):
        _is_locked_within(descriptor, _PROBED_SECONDS)


def _is_locked_within(descriptor: int, seconds: float) -> bool:
    """Try to lock an open file until the time is over; say whether that has succeeded."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock at this moment; also true where there is no lock file.

    Raises UnfitEnvironment for a file that cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise unusable(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
