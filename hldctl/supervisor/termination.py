"""Termination of a process tree: SIGINT, SIGTERM, SIGKILL to Claude Code, then to its descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from hldctl.paths import StateDirectory
from hldctl.supervisor.claude_process import AdoptedProcess, ClaudeProcess, send_signal
from hldctl.supervisor.guard import guard_pids
from hldctl.system import cgroup
from hldctl.system.processes import ProcessIdentity, identify

if TYPE_CHECKING:
    import psutil

# Time from SIGTERM to SIGKILL.
_FORCE_SECONDS = 2.0
_CLOCKS_DIFFER_SECONDS = 1.0


class StopSequence:
    """A stop in steps: SIGINT at once, SIGTERM after the grace period, SIGKILL to the whole tree soon after.

    `advance` takes the steps, and returns when to call it again.
    """

    def __init__(self, process: ClaudeProcess, session_id: str) -> None:
        self._process = process
        self._session_id = session_id
        self._started_at: float | None = None
        self._last_signal: signal.Signals | None = None
        self._has_reached_process = False
        self.grace_seconds = 0.0

    @property
    def has_signalled(self) -> bool:
        """True if a signal has reached the process."""
        return self._has_reached_process

    def advance(self) -> float:
        """Send the signal that is due, if any; return the seconds until the next step."""
        if self._started_at is None:
            self._started_at = time.monotonic()
            self._send(signal.SIGINT)
        elapsed = time.monotonic() - self._started_at
        if elapsed < self.grace_seconds:
            return self.grace_seconds - elapsed
        if self._last_signal is signal.SIGINT:
            self._send(signal.SIGTERM)
        force = self.grace_seconds + _FORCE_SECONDS
        if elapsed < force:
            return force - elapsed
        if self._last_signal is not signal.SIGKILL:
            self._send(signal.SIGKILL)
            end_descendants(self._process, self._session_id)
        return _FORCE_SECONDS

    def _send(self, number: signal.Signals) -> None:
        self._has_reached_process |= send_signal(self._process, number)
        self._last_signal = number


def end_descendants(
    process: ClaudeProcess, session_id: str, timeout_seconds: float = 1.0, spared: Collection[ProcessIdentity] = ()
) -> None:
    """Terminate all processes that the session has left: SIGTERM, and SIGKILL after `timeout_seconds`.

    Processes that start while others are being killed are killed as well; those in `spared` and theirs are not.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + timeout_seconds
        signalled: set[int] = set()
        while pids := [pid for pid in descendants(process, session_id) if not (spared and _is_spared(pid, spared))]:
            if number is signal.SIGKILL or not signalled:
                for pid in set(pids) - signalled:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
                signalled |= set(pids)
            if time.monotonic() >= deadline:
                break
            reap(process)
            time.sleep(0.05)


def _is_spared(pid: int, spared: Collection[ProcessIdentity]) -> bool:
    """Return whether a process, or one of its ancestors, is spared."""
    import psutil

    with contextlib.suppress(psutil.Error):
        family = psutil.Process(pid)
        return any(identify(each.pid) in spared for each in (family, *family.parents()))
    return False


def reap(process: ClaudeProcess) -> None:
    """Reap orphans that exited as children of this process."""
    if sys.platform == "darwin":
        # Without a subreaper, orphans do not become children of this process.
        return
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == process.identity.pid:
                # Reaped here, its exit code would be lost to `poll`.
                process.poll()
                if isinstance(process, AdoptedProcess):
                    # It is a child of this process, from before an upgrade: the zombie keeps the exit code.
                    return
            else:
                os.waitpid(ended.si_pid, 0)


def find_claude(session_id: str, claude_path: str) -> int | None:
    """Find the pid of a Claude Code that was not recorded: the oldest process with the session's marker, or None.

    Prefer `claude_path`, but accept other programs: it may be a script that was replaced by the real binary.
    """
    import psutil

    candidates = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _session_marker(candidate) == session_id and candidate.status() != psutil.STATUS_ZOMBIE:
                is_other_program = claude_path not in candidate.cmdline()
                candidates.append((is_other_program, candidate.create_time(), candidate.pid))
    return min(candidates)[2] if candidates else None


def descendants(process: ClaudeProcess, session_id: str) -> list[int]:
    """Return the pids of the session's live processes except Claude Code itself, sorted.

    Find them by the session marker in their environment, since a tool has a process session of its own and an orphan
    another parent; by parentage, for those that cleared the marker; and by the session's cgroup, if it has one, for
    those that did both.

    Exclude processes of nested sessions, once it is proved that they are: see `nested_sessions`.
    """
    import psutil

    # Imported here: a supervisor only needs it once there is something to stop.
    from hldctl.supervisor.processes.nested_sessions import OtherSessions

    others = OtherSessions()
    marked: set[int] = set()
    foreign: set[int] = set()
    parents: dict[int, int] = {}
    # First: a member that is not seen below has exited since.
    members = cgroup.members(session_id, StateDirectory.from_environment().session(session_id).cgroup)
    for candidate in _visible_processes():
        with contextlib.suppress(psutil.Error), candidate.oneshot():
            if candidate.status() == psutil.STATUS_ZOMBIE:
                continue
            parents[candidate.pid] = candidate.ppid()
            environment = _environment(candidate)
            marker = environment.get("HLDCTL_SESSION_ID")
            if marker == session_id:
                marked.add(candidate.pid)
            elif marker is not None and others.is_foreign(candidate, environment):
                foreign.add(candidate.pid)
    ancestors = {os.getpid()}
    # After a crash or a reboot, another process may have the pid, or none.
    if identify(process.identity.pid) == process.identity:
        ancestors.add(process.identity.pid)
    foreign -= ancestors
    pids = {pid for pid in parents if _is_own(pid, parents, ancestors | marked, members, foreign)}
    # Orphans of a nested session without a marker may have become children of this process: check their cgroup.
    pids -= {pid for pid in pids - marked if cgroup.is_in_another_session(pid, session_id)}
    return sorted(pid for pid in pids - ancestors - guard_pids() if pid > 1)


def has_younger_descendants(process: ClaudeProcess, session_id: str, since: float) -> bool:
    """Return whether any of the session's processes started after `since`, in seconds since 1970."""
    import psutil

    for pid in descendants(process, session_id):
        with contextlib.suppress(psutil.Error):
            # The start time has a resolution of 0.01 s, on a clock that was set at boot.
            if psutil.Process(pid).create_time() >= since - _CLOCKS_DIFFER_SECONDS:
                return True
    return False


def _is_own(pid: int, parents: dict[int, int], own: set[int], members: set[int], foreign: set[int]) -> bool:
    """Return whether the nearest known process, of this one and its ancestors, is the session's own and not foreign.

    A member of the cgroup is the session's own unless one of the members among its ancestors is foreign.
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


def _visible_processes() -> Iterator[psutil.Process]:
    """Yield all visible processes: none without a readable /proc, where the session must be able to end as well."""
    import psutil

    # psutil 7 takes the first element of the list of pids, even if it is empty.
    with contextlib.suppress(OSError, IndexError):
        yield from psutil.process_iter()


def _session_marker(process: psutil.Process) -> str | None:
    return _environment(process).get("HLDCTL_SESSION_ID")


def _environment(process: psutil.Process) -> dict[str, str]:
    """Return the environment that a process was started with; empty if it cannot be read."""
    import psutil

    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}
