"""Being woken on macOS and the BSDs, by kqueue."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable
from pathlib import Path

# What mypy checks on Linux has no kqueue.
if sys.platform != "linux":
    _POLL_SECONDS = 0.1
    """How often to look where a file cannot be watched."""

    class Wakeup:
        """See hldctl.system.watcher."""

        def __init__(self, files: Iterable[Path], pids: Iterable[int] = (), descriptors: Iterable[int] = ()) -> None:
            self._queue = select.kqueue()
            self._descriptors: list[int] = []
            self._blind = self._overdue = False
            for file in files:
                self._blind |= not self._watch_file(file)
            for pid in pids:
                # One that cannot be watched has ended.
                self._overdue |= not self._watch_process(pid)
            for descriptor in descriptors:
                self._blind |= not self._watch_input(descriptor)

        @property
        def is_blind(self) -> bool:
            return self._blind

        def wait(self, seconds: float | None) -> bool:
            if self._overdue:
                seconds = 0.0
            elif self._blind:
                seconds = _POLL_SECONDS if seconds is None else min(seconds, _POLL_SECONDS)
            ready = self._queue.control(None, 64, seconds)
            return self._overdue or self._blind or bool(ready)

        def close(self) -> None:
            for descriptor in self._descriptors:
                os.close(descriptor)
            self._descriptors.clear()
            self._queue.close()

        def _watch_file(self, file: Path) -> bool:
            try:
                descriptor = os.open(file, getattr(os, "O_EVTONLY", os.O_RDONLY))
            except OSError:
                return False
            self._descriptors.append(descriptor)
            changes = select.KQ_NOTE_WRITE | select.KQ_NOTE_EXTEND | select.KQ_NOTE_ATTRIB
            return self._add(descriptor, select.KQ_FILTER_VNODE, changes)

        def _watch_process(self, pid: int) -> bool:
            return self._add(pid, select.KQ_FILTER_PROC, select.KQ_NOTE_EXIT)

        def _watch_input(self, descriptor: int) -> bool:
            # Again and again for as long as nobody has read it.
            return self._add(descriptor, select.KQ_FILTER_READ, 0, flags=0)

        def _add(self, subject: int, what: int, changes: int, *, flags: int = select.KQ_EV_CLEAR) -> bool:
            event = select.kevent(subject, what, select.KQ_EV_ADD | flags, changes)
            try:
                self._queue.control([event], 0)
            except OSError:
                return False
            return True
