"""What the processes of sessions use of the machine, looked at again and again."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from hldctl.store.session import Session
from hldctl.system.processes import is_this_machine


@dataclass(frozen=True)
class Use:
    """Of a session's whole process tree, its supervisor included."""

    processes: int = 0
    cpu_percent: float = 0.0
    """Of one core, since the last look."""
    memory: int = 0
    """Bytes resident; pages that processes share count in each."""

    def plus(self, cpu_percent: float, memory: int) -> Use:
        return Use(self.processes + 1, self.cpu_percent + cpu_percent, self.memory + memory)


class Meter:
    """Keeps what processes do not change, so that a look reads little of each."""

    def __init__(self) -> None:
        self._marks: dict[psutil.Process, str | None] = {}

    def look(self, sessions: Sequence[Session]) -> dict[str, Use]:
        """By session id. The first look knows of no CPU time yet."""
        uses = {session.id: Use() for session in sessions}
        # The pids of another machine, or of a container, are others' here.
        here = (session for session in sessions if is_this_machine(session.host, session.boot_id))
        supervisors = {session.supervisor_pid: session.id for session in here}
        # psutil gives the same objects again for as long as the processes live.
        living = list(psutil.process_iter())
        known = self._marks
        self._marks = {process: known[process] if process in known else _mark(process) for process in living}
        for process, mark in self._marks.items():
            owner = supervisors.get(process.pid, mark)
            if owner in uses:
                with contextlib.suppress(psutil.Error), process.oneshot():
                    uses[owner] = uses[owner].plus(process.cpu_percent(), process.memory_info().rss)
        return uses


def _mark(process: psutil.Process) -> str | None:
    """Every descendant carries it in its environment."""
    try:
        return process.environ().get("HLDCTL_SESSION_ID")
    except (psutil.Error, OSError):
        return None
