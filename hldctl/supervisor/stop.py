"""Stopping a Claude Code by ever stronger signals, and ending what it leaves behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from hldctl.host.processes import identify
from hldctl.supervisor.claude_process import AdoptedProcess, ClaudeProcess, send

if TYPE_CHECKING:
    import psutil

GRACE_SECONDS = 10.0
"""From SIGINT to SIGTERM, unless said otherwise; Claude Code needs up to 1.6 s to end in good order."""
_FORCE_SECONDS = 2.0
"""From SIGTERM to SIGKILL."""
_CLOCKS_DIFFER_SECONDS = 1.0
_PR_SET_CHILD_SUBREAPER = 36


class Stop:
    """SIGINT at once, SIGTERM after the grace period, SIGKILL to the whole tree soon after.

    The steps are taken by `advance`, which says when it wants to be called again.
    """

    def __init__(self, process: ClaudeProcess, session_id: str) -> None:
        self._process = process
        self._session_id = session_id
        self._began: float | None = None
        self._sent: signal.Signals | None = None
        self._delivered = False
        self.grace_seconds = 0.0

    @property
    def signalled(self) -> bool:
        """Whether a signal has reached the process."""
        return self._delivered

    def advance(self) -> float:
        """Sends what is due; returns the seconds until the next step."""
        if self._began is None:
            self._began = time.monotonic()
            self._send(signal.SIGINT)
        elapsed = time.monotonic() - self._began
        if elapsed < self.grace_seconds:
            return self.grace_seconds - elapsed
        if self._sent is signal.SIGINT:
            self._send(signal.SIGTERM)
        force = self.grace_seconds + _FORCE_SECONDS
        if elapsed < force:
            return force - elapsed
        if self._sent is not signal.SIGKILL:
            self._send(signal.SIGKILL)
            end_descendants(self._process, self._session_id)
        return _FORCE_SECONDS

    def _send(self, number: signal.Signals) -> None:
        self._delivered |= send(self._process, number)
        self._sent = number


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent dies, where the system can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants(process: ClaudeProcess, session_id: str, patience: float = 1.0) -> None:
    """Ends all that the session has started and that still runs: SIGTERM, and SIGKILL after `patience` seconds."""
    deadline = time.monotonic() + patience
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in descendants(process, session_id):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        while descendants(process, session_id) and time.monotonic() < deadline:
            reap(process)
            time.sleep(0.05)
        deadline = time.monotonic() + patience


def reap(process: ClaudeProcess) -> None:
    """Buries the orphans that ended as children of this process."""
    if sys.platform == "darwin":
        # Without a subreaper no orphan comes here.
        return
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == process.identity.pid:
                # Its exit code would be lost to the one who asks for it.
                process.poll()
                if isinstance(process, AdoptedProcess):
                    # A child all the same, of this process before it was upgraded: the zombie tells how it ended.
                    return
            else:
                os.waitpid(ended.si_pid, 0)


def find_claude(session_id: str, claude_path: str) -> int | None:
    """The session's Claude Code, where nobody has written its pid down: the first of those that carry its mark.

    Another than the path that was run may be all that is left: a script that gives way to the real one.
    """
    import psutil

    found = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _mark(candidate) == session_id and candidate.status() != psutil.STATUS_ZOMBIE:
                is_another = claude_path not in candidate.cmdline()
                found.append((is_another, candidate.create_time(), candidate.pid))
    return min(found)[2] if found else None


def descendants(process: ClaudeProcess, session_id: str) -> list[int]:
    """The living processes of the session but Claude Code itself: by the mark in their environment, since a tool has a
    process session of its own and an orphan another parent; and by parentage, for those that cleared it.

    A supervisor that was started from within this session has a mark of its own, and so has all below it.
    """
    import psutil

    marked: set[int] = set()
    foreign: set[int] = set()
    parents: dict[int, int] = {}
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if candidate.status() == psutil.STATUS_ZOMBIE:
                continue
            parents[candidate.pid] = candidate.ppid()
            mark = _mark(candidate)
            if mark is not None:
                (marked if mark == session_id else foreign).add(candidate.pid)
    ancestors = {os.getpid()}
    # After a crash or a reboot the pid may be another's, or none at all.
    if identify(process.identity.pid) == process.identity:
        ancestors.add(process.identity.pid)
    found = {pid for pid in parents if pid in marked or _descends(pid, parents, ancestors, foreign)}
    return sorted(pid for pid in found - ancestors - foreign if pid > 1)


def younger_descendants(process: ClaudeProcess, session_id: str, since: float) -> bool:
    """Whether any of the session's processes was started after that, in seconds since 1970."""
    import psutil

    for pid in descendants(process, session_id):
        with contextlib.suppress(psutil.Error):
            # The start is told in hundredths, by a clock that was set at boot.
            if psutil.Process(pid).create_time() >= since - _CLOCKS_DIFFER_SECONDS:
                return True
    return False


def _descends(pid: int, parents: dict[int, int], ancestors: set[int], barriers: set[int]) -> bool:
    seen = set()
    while pid in parents and pid not in seen:
        if pid in barriers:
            return False
        if parents[pid] in ancestors:
            return True
        seen.add(pid)
        pid = parents[pid]
    return False


def _mark(process: psutil.Process) -> str | None:
    import psutil

    try:
        return process.environ().get("HLDCTL_SESSION_ID")
    except (psutil.Error, OSError):
        return None
