"""CPU and memory use of the sessions' processes, sampled repeatedly."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from hldctl.store.session import Session
from hldctl.system.processes import is_this_machine


@dataclass(frozen=True)
class ProcessUsage:
    """The usage of a session's whole process tree, including its supervisor."""

    process_count: int = 0
    cpu_percent: float = 0.0
    """Percent of one core since the last sample."""
    memory_bytes: int = 0
    """Resident bytes; shared pages count once for each process."""

    def plus(self, cpu_percent: float, memory: int) -> ProcessUsage:
        return ProcessUsage(self.process_count + 1, self.cpu_percent + cpu_percent, self.memory_bytes + memory)


class UsageSampler:
    """A sampler that caches each process's session marker, so that a sample reads little of each process."""

    def __init__(self) -> None:
        self._markers: dict[psutil.Process, str | None] = {}

    def sample(self, sessions: Sequence[Session]) -> dict[str, ProcessUsage]:
        """Return the usage by session id. The first sample has no CPU time."""
        usage = {session.id: ProcessUsage() for session in sessions}
        # Pids recorded on another machine, or in a container, belong to other processes here.
        here = (session for session in sessions if is_this_machine(session.host, session.boot_id))
        supervisors = {session.supervisor_pid: session.id for session in here}
        # psutil returns the same objects as long as the processes live.
        processes = list(psutil.process_iter())
        known = self._markers
        self._markers = {
            process: known[process] if process in known else _session_marker(process) for process in processes
        }
        for process, marker in self._markers.items():
            owner = supervisors.get(process.pid, marker)
            if owner in usage:
                with contextlib.suppress(psutil.Error), process.oneshot():
                    usage[owner] = usage[owner].plus(process.cpu_percent(), process.memory_info().rss)
        return usage


def _session_marker(process: psutil.Process) -> str | None:
    """Return the session marker, which every descendant has in its environment; None if there is none."""
    try:
        return process.environ().get("HLDCTL_SESSION_ID")
    except (psutil.Error, OSError):
        return None
