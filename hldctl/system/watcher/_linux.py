"""Being woken on Linux, by inotify and pidfd."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
from collections.abc import Iterable
from pathlib import Path

from hldctl.system.processes import open_pidfd

_POLL_SECONDS = 0.1
"""How often to look where the system cannot wake us: no inotify left, or a process without a handle."""

_LONGEST_SECONDS = 3600.0
_MANY_NOTICES = 4096
"""Bytes, 16 for each; equal ones that follow one another are one."""

_IN_MODIFY, _IN_ATTRIB, _IN_CLOEXEC, _IN_NONBLOCK = 0x2, 0x4, 0o2000000, 0o4000


class Wakeup:
    """See hldctl.system.watcher."""

    def __init__(self, files: Iterable[Path], pids: Iterable[int] = (), descriptors: Iterable[int] = ()) -> None:
        self._poller = select.poll()
        self._descriptors: list[int] = []
        self._blind = False
        self._notifier = _file_notifier(list(files))
        if self._notifier is None:
            self._blind = True
        else:
            self._add(self._notifier)
        for pid in pids:
            handle = open_pidfd(pid)
            if handle is None:
                self._blind = True
            else:
                self._add(handle)
        for descriptor in descriptors:
            # Not ours to close.
            self._poller.register(descriptor, select.POLLIN)

    @property
    def is_blind(self) -> bool:
        """Whether the system could not be asked to wake, so that the owner is woken ten times a second."""
        return self._blind

    def wait(self, seconds: float | None) -> bool:
        # What poll() takes ends at 24 days.
        longest = _POLL_SECONDS if self._blind else _LONGEST_SECONDS
        seconds = longest if seconds is None else min(seconds, longest)
        # Rounded up, so that a deadline a fraction of a millisecond away is not polled for.
        milliseconds = max(0, int(seconds * 1000) + 1)
        ready = self._poller.poll(milliseconds)
        for descriptor, _ in ready:
            if descriptor == self._notifier:
                _drain(descriptor)
        return self._blind or bool(ready)

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()

    def _add(self, descriptor: int) -> None:
        self._descriptors.append(descriptor)
        self._poller.register(descriptor, select.POLLIN)


def _file_notifier(files: list[Path]) -> int | None:
    """An inotify descriptor that watches the files; None where there is none to be had."""
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
    """Takes what is there to be read; should there be more, it wakes once more."""
    with contextlib.suppress(BlockingIOError):
        os.read(descriptor, _MANY_NOTICES)
