"""Wake-ups on macOS and the BSDs, by kqueue."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable
from pathlib import Path

# mypy checks for Linux, which has no kqueue.
if sys.platform != "linux":
    # How often to poll if a file cannot be watched.
    _POLL_SECONDS = 0.1

    class Wakeup:
        """See hldctl.system.watcher."""

        def __init__(self, files: Iterable[Path], pids: Iterable[int] = (), descriptors: Iterable[int] = ()) -> None:
            self._queue = select.kqueue()
            self._descriptors: list[int] = []
            self._is_polling = self._has_ended = False
            for file in files:
                self._is_polling |= not self._watch_file(file)
            for pid in pids:
                # A process that cannot be watched has ended.
                self._has_ended |= not self._watch_process(pid)
            for descriptor in descriptors:
                self._is_polling |= not self._watch_input(descriptor)

        @property
        def is_polling(self) -> bool:
            return self._is_polling

        def wait(self, seconds: float | None) -> bool:
            if self._has_ended:
                seconds = 0.0
            elif self._is_polling:
                seconds = _POLL_SECONDS if seconds is None else min(seconds, _POLL_SECONDS)
            ready = self._queue.control(None, 64, seconds)
            return self._has_ended or self._is_polling or bool(ready)

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
            # Without EV_CLEAR, so that it is reported until the input has been read.
            return self._add(descriptor, select.KQ_FILTER_READ, 0, flags=0)

        def _add(self, subject: int, event_filter: int, changes: int, *, flags: int = select.KQ_EV_CLEAR) -> bool:
            event = select.kevent(subject, event_filter, select.KQ_EV_ADD | flags, changes)
            try:
                self._queue.control([event], 0)
            except OSError:
                return False
            return True
