"""Kill supervisors, launchers, hooks and readers at random times while sessions stream, then look for faults.

`python -m tests.crash.chaos --kills 1000` prints what was killed, compared, lost and duplicated, and exits with 1 if
there was a fault. The test suite runs a short version.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.audit import faults
from tests.crash.storm import kill_one_of, main
from tests.helpers.sandbox import Json, Sandbox, eventually

# If a hook is killed, Claude Code decides about the call, possibly against the answer; the record is then corrected.
_FIRST_CHANGES = """
SELECT json_extract(data, '$.approval_id') AS request FROM feed WHERE type = ? AND NOT (
    coalesce(json_extract(data, '$.answered_by'), '') = 'another hook' AND EXISTS (
        SELECT 1 FROM feed earlier WHERE earlier.type = feed.type AND earlier.id < feed.id
            AND json_extract(earlier.data, '$.approval_id') = json_extract(feed.data, '$.approval_id')
    )
) ORDER BY request
"""

_ROOT = Path(__file__).parents[2]
SESSIONS = 6
READERS = (["ls"], ["show", "last"], ["tail", "last"], ["tail", "-f", "last"], ["wait", "last"], ["events"])


# A command is killed within this time: about as long as one takes next to this many others, so that some succeed.
_COMMAND_SECONDS = 4.0


@dataclass
class Report:
    supervisors_killed: int = 0
    readers_killed: int = 0
    launchers_killed: int = 0
    interrupters_killed: int = 0
    approvers_killed: int = 0
    hooks_killed: int = 0
    sessions: int = 0
    approvals: dict[str, int] = field(default_factory=dict)
    """Number of permission requests by status."""
    events: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.supervisors_killed} supervisors, {self.hooks_killed} hooks, {self.readers_killed} readers,"
            f" {self.launchers_killed} launchers, {self.interrupters_killed} interrupters and"
            f" {self.approvers_killed} approvers killed; {self.sessions} sessions, {self.events} events and"
            f" {sum(self.approvals.values())} approvals {self.approvals} compared, {len(self.faults)} faults"
        )


class Chaos:
    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._chance = random.Random(seed)
        self._commands: list[subprocess.Popen[str]] = []
        self.report = Report()
        sandbox.fake_claude(
            f"sys.path.insert(0, {str(_ROOT)!r})\nfrom tests.crash import chatty_claude\nchatty_claude.main()"
        )
        self._long_sessions = [sandbox.launch(f"Session {number}", "--approvals") for number in range(SESSIONS)]

    def kill_supervisors(self, kills: int) -> None:
        """Kill N supervisors, and hooks and commands at the same time."""
        report, chance = self.report, self._chance
        while report.supervisors_killed < kills:
            self._commands.append(self._start(*chance.choice(READERS)))
            time.sleep(chance.uniform(0, 0.2))
            report.supervisors_killed += kill_one_of(self._chance, self._sandbox.supervisors())
            if chance.random() < 0.2:
                report.hooks_killed += kill_one_of(
                    self._chance, self._sandbox.processes_with_argument("hook/__main__.py")
                )
            if chance.random() < 0.3:
                report.approvers_killed += self._start_and_kill(chance.choice(["approve", "deny"]), "--all")
            if len(self._commands) > 4:
                report.readers_killed += _kill(self._commands.pop(chance.randrange(len(self._commands))))
            if chance.random() < 0.1:
                report.launchers_killed += self._start_and_kill("launch", "Briefly", "--approvals")
            if chance.random() < 0.1 and (brief := self._brief_sessions()):
                report.interrupters_killed += self._start_and_kill("interrupt", "--no-wait", chance.choice(brief))

    def settle(self) -> None:
        """Let all sessions end, and compare each with its journal."""
        for command in self._commands:
            _kill(command)
        (self._sandbox.work / "enough").touch()
        eventually(self._all_have_ended, "all sessions to end")
        for session_id in self._sandbox.ok("ls", "-q").split():
            self.report.faults += [f"{session_id}: {fault}" for fault in self._faults(session_id)]
            self.report.sessions += 1
        self.report.faults += list(self._faults_of_approvals())
        self.report.events = int(self._sandbox.sql("SELECT count(*) FROM conversation_events")[0][0])
        eventually(lambda: not self._sandbox.processes(), "all processes to leave")

    def _all_have_ended(self) -> bool:
        # If only the shell of a hook was killed, the hook still waits, and Claude Code waits for it.
        self._sandbox.ok("deny", "--all")
        self._sandbox.ok("ls")
        return not self._sandbox.sql("SELECT id FROM sessions WHERE completed_at IS NULL")

    def _faults_of_approvals(self) -> Iterator[str]:
        """Yield a fault unless each request is in the feed once, resolved once, and allowed only if approved."""
        sql = self._sandbox.sql
        self.report.approvals = dict(sql("SELECT status, count(*) FROM approvals GROUP BY status"))
        if self.report.approvals.get("pending"):
            yield "a request is pending in a session that has ended"
        for kind in ("new_approval", "approval_resolved"):
            request_ids = sql(_FIRST_CHANGES, kind)
            if request_ids != sql("SELECT id FROM approvals ORDER BY 1"):
                yield f"{kind} is not in the feed once for each request"
        wrongly_allowed = (
            "SELECT count(*) FROM conversation_events r JOIN approvals a ON a.session_id = r.session_id"
            " AND a.tool_use_id = r.tool_result_for_id WHERE r.tool_result_content = 'allow' AND a.status != 'approved'"
        )
        if sql(wrongly_allowed) != [(0,)]:
            yield "the model was allowed a call that was not approved"

    def _faults(self, session_id: str) -> list[str]:
        session = self._sandbox.show(session_id)
        problems = faults(self._sandbox, session_id)
        if session["end_reason"] not in self._correct_end_reasons(session):
            problems.append(f"ended as {session['end_reason']}")
        return problems

    def _correct_end_reasons(self, session: Json) -> set[str]:
        if session["id"] in self._long_sessions:
            return {"success"}
        (intent,) = self._sandbox.sql("SELECT interrupt_requested_at FROM sessions WHERE id = ?", session["id"])[0]
        if intent is not None:
            return {"interrupted"}
        # The supervisor of a launch may die before Claude Code starts.
        return {"success"} if self._sandbox.files(session["id"]).journal.stat().st_size else {"lost"}

    def _brief_sessions(self) -> list[str]:
        rows = self._sandbox.sql("SELECT id FROM sessions WHERE query = 'Briefly' AND completed_at IS NULL")
        return [session_id for (session_id,) in rows]

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        return self._sandbox.popen(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _start_and_kill(self, *arguments: str) -> int:
        command = self._start(*arguments)
        time.sleep(self._chance.uniform(0, self._chance.choice([0.5, _COMMAND_SECONDS])))
        return _kill(command)


def run(sandbox: Sandbox, kills: int, seed: int) -> Report:
    chaos = Chaos(sandbox, seed)
    chaos.kill_supervisors(kills)
    chaos.settle()
    return chaos.report


def _kill(command: subprocess.Popen[str]) -> int:
    """Kill the command; return 1 if it was still running, 0 if not."""
    alive = command.poll() is None
    command.kill()
    command.wait()
    return int(alive)


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
