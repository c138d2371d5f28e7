"""Locks that the kernel releases with their holder: who supervises a session, who migrates, deletes or repairs.

Exclusive locks are filelock's, on descriptors of ours. What a supervisor locks stays `flock`, its session and a
database that it migrates: `launch` waits for it, and filelock takes 33 ms to import and adds 4.7 MB to a supervisor for
as long as it lives (4.3.1). A reader's probe has to be shared, so that readers do not disturb one another.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hldctl.private_files import PRIVATE_FILE, unusable_path_error

# Longer than any probe holds a lock.
_PROBE_SECONDS = 0.1


def acquire(path: Path, timeout: float) -> int | None:
    """Take the lock for as long as this process lives; return None if another process still holds it after `timeout`
    seconds.

    A probe holds the lock for microseconds, so a refusal counts only after the timeout.
    """
    return _acquire(path, timeout, _lock)


def acquire_quickly(path: Path, timeout: float) -> int | None:
    """Take the lock as `acquire` does, without the import of filelock: a launch waits for its supervisor."""
    return _acquire(path, timeout, _flock)


@contextlib.contextmanager
def exclusive(descriptor: int) -> Iterator[None]:
    """Hold the lock of an open file or directory in the block; wait for it without a timeout."""
    from filelock import lock_descriptor, unlock_descriptor

    lock_descriptor(descriptor)
    try:
        yield
    finally:
        unlock_descriptor(descriptor)


def hold(descriptor: int) -> None:
    """Lock an open file that a child will inherit: the lock is held while the child keeps the file open.

    Errors are ignored: only other PID namespaces use this lock, so a file system without locks does no harm.
    """
    with contextlib.suppress(OSError):
        _try_lock(descriptor, _PROBE_SECONDS, _flock)


def _acquire(path: Path, timeout: float, lock: Callable[[int], bool]) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    if _try_lock(descriptor, timeout, lock):
        return descriptor
    os.close(descriptor)
    return None


def _try_lock(descriptor: int, seconds: float, lock: Callable[[int], bool]) -> bool:
    """Try to lock an open file until the time is over; return whether that succeeded."""
    deadline = time.monotonic() + seconds
    while not lock(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def _lock(descriptor: int) -> bool:
    from filelock import lock_descriptor

    return lock_descriptor(descriptor, blocking=False)


def _flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path) -> bool:
    """Return whether no process holds the lock now; True if the lock file does not exist.

    Raise UnfitEnvironment if the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise unusable_path_error(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
