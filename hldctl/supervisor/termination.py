"""Stopping a Claude Code by ever stronger signals, and ending what it leaves behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hldctl.paths import StateDirectory
from hldctl.supervisor.claude_process import AdoptedProcess, ClaudeProcess, send
from hldctl.system import cgroup
from hldctl.system.processes import identify

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
    """Ends all that the session has started and that still runs: SIGTERM, and SIGKILL after `patience` seconds.

    What is started while others are killed is killed in turn.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + patience
        signalled: set[int] = set()
        while found := descendants(process, session_id):
            if number is signal.SIGKILL or not signalled:
                for pid in set(found) - signalled:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
                signalled |= set(found)
            if time.monotonic() >= deadline:
                break
            reap(process)
            time.sleep(0.05)


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
    process session of its own and an orphan another parent; by parentage, for those that cleared it; and by the
    session's cgroup, where it has one, for those that did both.

    What belongs to a session that was launched from within this one is not among them; that it does is proved, not
    believed: see `nested`.
    """
    import psutil

    # Only here: a supervisor has no use for it before something is to be stopped.
    from hldctl.supervisor.nested_sessions import OtherSessions

    others = OtherSessions()
    marked: set[int] = set()
    foreign: set[int] = set()
    parents: dict[int, int] = {}
    # First: what it names and is not seen below has ended in between.
    members = cgroup.members(session_id, StateDirectory.from_environment().session(session_id).cgroup)
    for candidate in _processes():
        with contextlib.suppress(psutil.Error):
            if candidate.status() == psutil.STATUS_ZOMBIE:
                continue
            parents[candidate.pid] = candidate.ppid()
            environment = _environment(candidate)
            mark = environment.get("HLDCTL_SESSION_ID")
            if mark == session_id:
                marked.add(candidate.pid)
            elif mark is not None and others.own(candidate, environment):
                foreign.add(candidate.pid)
    ancestors = {os.getpid()}
    # After a crash or a reboot the pid may be another's, or none at all.
    if identify(process.identity.pid) == process.identity:
        ancestors.add(process.identity.pid)
    foreign -= ancestors
    found = {pid for pid in parents if _belongs(pid, parents, ancestors | marked, members, foreign)}
    # What a nested session has left behind may have come to us, without a mark: its cgroup tells.
    found -= {pid for pid in found - marked if cgroup.is_in_anothers(pid, session_id)}
    return sorted(pid for pid in found - ancestors if pid > 1)


def younger_descendants(process: ClaudeProcess, session_id: str, since: float) -> bool:
    """Whether any of the session's processes was started after that, in seconds since 1970."""
    import psutil

    for pid in descendants(process, session_id):
        with contextlib.suppress(psutil.Error):
            # The start is told in hundredths, by a clock that was set at boot.
            if psutil.Process(pid).create_time() >= since - _CLOCKS_DIFFER_SECONDS:
                return True
    return False


def _belongs(pid: int, parents: dict[int, int], own: set[int], members: set[int], foreign: set[int]) -> bool:
    """Whether the first that is known of a process and those above it is the session's own, rather than foreign.

    A member of the cgroup is its own if no other member above it is foreign.
    """
    seen = set()
    is_member = pid in members
    while pid in parents and pid not in seen:
        if pid in foreign:
            return False
        if pid in own:
            return True
        if is_member and pid not in members:
            return True
        seen.add(pid)
        pid = parents[pid]
    return is_member


def _processes() -> Iterator[psutil.Process]:
    """Return all that can be seen: none where /proc is missing or shows none, and the session has to end there, too."""
    import psutil

    # psutil 7 takes the first of the pids that it finds.
    with contextlib.suppress(OSError, IndexError):
        yield from psutil.process_iter()


def _mark(process: psutil.Process) -> str | None:
    return _environment(process).get("HLDCTL_SESSION_ID")


def _environment(process: psutil.Process) -> dict[str, str]:
    """Return what a process was started with; empty where that cannot be read."""
    import psutil

    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}
