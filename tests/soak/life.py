"""One long session, and what it costs while it lasts."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

import psutil

from tests.crash.audit import faults
from tests.helpers.sandbox import Sandbox, eventually

STREAM = """
def line(kind, block, **more):
    message = {"id": f"msg_{number}", "role": kind, "content": [block], "usage": {"input_tokens": 1}}
    return json.dumps({"type": kind, "message": message, **more}) + "\\n"
def event():
    if number % 10 == 0:
        return line("assistant", {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {"n": number}})
    if number % 10 == 1:
        return line("user", {"type": "tool_result", "tool_use_id": f"toolu_{number - 1}", "content": f"out {number}"})
    parent = f"toolu_{number // 20}" if number % 20 == 2 else None
    return line("assistant", {"type": "text", "text": f"{number} " + "x" * LENGTH}, parent_tool_use_id=parent)
def wait_for(name):
    sys.stdout.flush()
    open(f"{name}-written", "w").close()
    while not os.path.exists(f"{name}-seen"):
        time.sleep(0.01)
print(json.dumps({"type": "system", "subtype": "init", "session_id": "x", "model": "claude-opus-5"}))
for number in range(EVENTS):
    sys.stdout.write(event())
    if number % 100 == 0:
        print(json.dumps({"type": f"novelty-{number}"}))
    if number == EARLY:
        wait_for("early")
wait_for("late")
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": str(number), "num_turns": 1,
                  "duration_ms": 1, "total_cost_usd": 0.5}))
"""


@dataclass(frozen=True)
class Held:
    """What a supervisor holds."""

    memory: int
    """Bytes of its own at the most in this part of its life: what it is at one moment depends on the batch before."""
    descriptors: int
    """At the end of this part."""


@dataclass
class Life:
    session_id: str
    early: Held
    late: Held
    largest_log: int
    """Bytes of the write-ahead log at its largest, with a `tail -f` open."""
    seconds: float
    """From the early to the late moment."""
    events: int
    journal: int
    faults: list[str]

    @property
    def growth(self) -> int:
        return self.late.memory - self.early.memory


def live(sandbox: Sandbox, events: int, length: int, early: int) -> Life:
    """A session of so many events, each text of that length, from launch to end; `early` divides it in two."""
    sandbox.claude(f"EVENTS, EARLY, LENGTH = {events}, {early}, {length}\n{STREAM}")
    session_id = sandbox.launch("Live long")
    followed = sandbox.popen("tail", "-f", session_id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = _Watch(sandbox, session_id)
    early_held, begun = watch.until("early"), time.monotonic()
    (sandbox.work / "early-seen").touch()
    late_held, seconds = watch.until("late"), time.monotonic() - begun
    assert followed.poll() is None, "the follower left before the end"
    (sandbox.work / "late-seen").touch()
    assert followed.wait() == 0
    assert sandbox.ended(session_id)["end_reason"] == "success"
    for path in sandbox.work.iterdir():
        path.unlink()
    return Life(
        session_id,
        early_held,
        late_held,
        watch.largest_log,
        seconds,
        events=sandbox.sql("SELECT count(*) FROM conversation_events WHERE session_id = ?", session_id)[0][0],
        journal=sandbox.files(session_id).journal.stat().st_size,
        faults=faults(sandbox, session_id),
    )


class _Watch:
    """Looks at a session's supervisor and at the write-ahead log again and again."""

    def __init__(self, sandbox: Sandbox, session_id: str) -> None:
        self._sandbox = sandbox
        self._session_id = session_id
        self._supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
        self._log = sandbox.state.database.with_name("hldctl.db-wal")
        self._largest_memory = 0
        self.largest_log = 0

    def until(self, moment: str) -> Held:
        """Until all that Claude Code has written by that moment is in the database."""
        self._largest_memory = 0
        eventually(lambda: self._is_recorded(moment), f"all that is written {moment} to be recorded", patience=3600)
        return Held(self._largest_memory, self._supervisor.num_fds())

    def _is_recorded(self, moment: str) -> bool:
        self.largest_log = max(self.largest_log, self._log.stat().st_size if self._log.exists() else 0)
        memory = self._supervisor.memory_info()
        # Without the pages of files: how these are counted depends on who else uses them at the moment.
        self._largest_memory = max(self._largest_memory, memory.rss - getattr(memory, "shared", 0))
        if not (self._sandbox.work / f"{moment}-written").exists():
            return False
        ((offset,),) = self._sandbox.sql("SELECT journal_offset FROM sessions WHERE id = ?", self._session_id)
        return bool(offset == self._sandbox.files(self._session_id).journal.stat().st_size)
