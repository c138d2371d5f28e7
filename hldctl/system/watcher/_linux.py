"""Wake-ups on Linux, by inotify and pidfd."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
from collections.abc import Iterable
from pathlib import Path

from hldctl.system.processes import open_pidfd

# How often to poll if the system cannot wake us: no inotify instance left, or a process without a descriptor.
_POLL_SECONDS = 0.1
_MAX_WAIT_SECONDS = 3600.0
# An inotify event takes 16 bytes; the kernel merges consecutive equal ones.
_READ_BYTES = 4096

_IN_MODIFY, _IN_ATTRIB, _IN_CLOEXEC, _IN_NONBLOCK = 0x2, 0x4, 0o2000000, 0o4000


class Wakeup:
    """See hldctl.system.watcher."""

    def __init__(self, files: Iterable[Path], pids: Iterable[int] = (), descriptors: Iterable[int] = ()) -> None:
        self._poller = select.poll()
        self._descriptors: list[int] = []
        self._is_polling = False
        self._inotify = _open_inotify(list(files))
        if self._inotify is None:
            self._is_polling = True
        else:
            self._add(self._inotify)
        for pid in pids:
            pidfd = open_pidfd(pid)
            if pidfd is None:
                self._is_polling = True
            else:
                self._add(pidfd)
        for descriptor in descriptors:
            # The caller closes these.
            self._poller.register(descriptor, select.POLLIN)

    @property
    def is_polling(self) -> bool:
        """True if the system cannot watch everything, so that the owner is woken ten times a second."""
        return self._is_polling

    def wait(self, seconds: float | None) -> bool:
        # The longest timeout of poll() is 24 days.
        max_seconds = _POLL_SECONDS if self._is_polling else _MAX_WAIT_SECONDS
        seconds = max_seconds if seconds is None else min(seconds, max_seconds)
        # Rounded up, so that the last fraction of a millisecond before a deadline is not a busy loop.
        milliseconds = max(0, int(seconds * 1000) + 1)
        ready = self._poller.poll(milliseconds)
        for descriptor, _ in ready:
            if descriptor == self._inotify:
                _drain(descriptor)
        return self._is_polling or bool(ready)

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()

    def _add(self, descriptor: int) -> None:
        self._descriptors.append(descriptor)
        self._poller.register(descriptor, select.POLLIN)


def _open_inotify(files: list[Path]) -> int | None:
    """Return an inotify descriptor that watches the files; None if they cannot be watched."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(_IN_CLOEXEC | _IN_NONBLOCK))
    if descriptor < 0:
        return None
    for file in files:
        if libc.inotify_add_watch(descriptor, os.fsencode(file), _IN_MODIFY | _IN_ATTRIB) < 0:
            os.close(descriptor)
            return None
    return descriptor


def _drain(descriptor: int) -> None:
    """Read the pending events; if more are left, they cause another wake-up."""
    with contextlib.suppress(BlockingIOError):
        os.read(descriptor, _READ_BYTES)
