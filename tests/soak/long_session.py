"""A long session, and the resources that it uses."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.crash.audit import faults
from tests.helpers.sandbox import Sandbox, eventually

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SupervisorUsage:
    """Memory and descriptors of a supervisor."""

    memory: int
    """Largest number of private bytes in this part of the session; a single value depends on the last batch."""
    descriptors: int
    """Open descriptors at the end of this part."""


@dataclass
class LongSession:
    session_id: str
    early: SupervisorUsage
    late: SupervisorUsage
    largest_log: int
    """Largest size of the write-ahead log in bytes, with a `tail -f` open."""
    seconds: float
    """Time between the early and the late stop."""
    events: int
    journal: int
    faults: list[str]

    @property
    def growth(self) -> int:
        return self.late.memory - self.early.memory


def run_long_session(sandbox: Sandbox, events: int, length: int, early: int) -> LongSession:
    """Run a session with N events, whose texts have the given length; measure it after event `early` and at the end."""
    arguments = f"{events}, {early}, {length}"
    code = f"from tests.soak import talkative_claude\ntalkative_claude.main({arguments})"
    sandbox.fake_claude(f"sys.path.insert(0, {str(_ROOT)!r})\n{code}")
    session_id = sandbox.launch("Live long")
    follower = sandbox.popen("tail", "-f", session_id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = _Watch(sandbox, session_id)
    early_usage, started = watch.until("early"), time.monotonic()
    (sandbox.work / "early-seen").touch()
    late_usage, seconds = watch.until("late"), time.monotonic() - started
    assert follower.poll() is None, "the follower left before the end"
    (sandbox.work / "late-seen").touch()
    assert follower.wait() == 0
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    for path in sandbox.work.iterdir():
        path.unlink()
    return LongSession(
        session_id,
        early_usage,
        late_usage,
        watch.largest_log,
        seconds,
        events=sandbox.sql("SELECT count(*) FROM conversation_events WHERE session_id = ?", session_id)[0][0],
        journal=sandbox.files(session_id).journal.stat().st_size,
        faults=faults(sandbox, session_id),
    )


class _Watch:
    """Polls the memory of a session's supervisor and the size of the write-ahead log."""

    def __init__(self, sandbox: Sandbox, session_id: str) -> None:
        self._sandbox = sandbox
        self._session_id = session_id
        self._supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
        self._log = sandbox.state.database.with_name("hldctl.db-wal")
        self._largest_memory = 0
        self.largest_log = 0

    def until(self, stop: str) -> SupervisorUsage:
        """Poll until everything that Claude Code has written before this stop is in the database."""
        self._largest_memory = 0
        eventually(lambda: self._is_recorded(stop), f"everything before the {stop} stop to be recorded", patience=3600)
        return SupervisorUsage(self._largest_memory, self._supervisor.num_fds())

    def _is_recorded(self, stop: str) -> bool:
        self.largest_log = max(self.largest_log, self._log.stat().st_size if self._log.exists() else 0)
        memory = self._supervisor.memory_info()
        # Without the pages of files: their count depends on which other processes use them.
        self._largest_memory = max(self._largest_memory, memory.rss - getattr(memory, "shared", 0))
        if not (self._sandbox.work / f"{stop}-written").exists():
            return False
        ((offset,),) = self._sandbox.sql("SELECT journal_offset FROM sessions WHERE id = ?", self._session_id)
        return bool(offset == self._sandbox.files(self._session_id).journal.stat().st_size)
