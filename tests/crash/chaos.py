"""Kills supervisors, launchers, hooks and readers at random instants while sessions stream, then looks for faults.

`python -m tests.crash.chaos --kills 1000` prints what was killed, compared, lost and doubled, and exits with 1 if
anything was. The suite runs a short one.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.crash.audit import faults
from tests.helpers.sandbox import Json, Sandbox, eventually

# A killed hook leaves a call to Claude Code, whose decision may contradict the answer: the record is then corrected.
_FIRST_CHANGES = """
SELECT json_extract(data, '$.approval_id') AS request FROM feed WHERE type = ? AND NOT (
    coalesce(json_extract(data, '$.answered_by'), '') = 'another hook' AND EXISTS (
        SELECT 1 FROM feed earlier WHERE earlier.type = feed.type AND earlier.id < feed.id
            AND json_extract(earlier.data, '$.approval_id') = json_extract(feed.data, '$.approval_id')
    )
) ORDER BY request
"""

SESSIONS = 6
STREAM = """
def say(block):
    print(json.dumps({"type": "assistant", "message": {"role": "assistant", "content": [block]}}), flush=True)
signal.signal(signal.SIGINT, signal.SIG_DFL)
import subprocess
with open(sys.argv[sys.argv.index("--settings") + 1]) as settings:
    hook_command = json.load(settings)["hooks"]["PermissionRequest"][0]["hooks"][0]["command"]
def answer_to(call, output):
    said = json.loads(output)["hookSpecificOutput"]["decision"]["behavior"] if output else "nothing"
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": said}
    print(json.dumps({"type": "user", "message": {"role": "user", "content": [result]}}), flush=True)
def ask(number):
    call = {"type": "tool_use", "id": f"toolu_asked_{number}", "name": "Bash", "input": {"command": f"touch {number}"}}
    say(call)
    hook = subprocess.Popen(hook_command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env={**os.environ, "CLAUDE_PID": str(os.getpid())}, start_new_session=True)
    hook.stdin.write(json.dumps({"tool_name": "Bash", "tool_input": call["input"]}).encode())
    hook.stdin.close()
    return call, hook
asked = None
print(json.dumps({"type": "system", "subtype": "init", "session_id": "x", "model": "claude-opus-5"}), flush=True)
number = 0
while not os.path.exists("enough"):
    number += 1
    say({"type": "text", "text": f"{number} " + "x" * (number % 700)})
    if number % 7 == 0:
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {"command": "ls"}}
        say(call)
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "out"}
        print(json.dumps({"type": "user", "message": {"role": "user", "content": [result]}}), flush=True)
    if asked is None and number % 20 == 0:
        asked = ask(number)
    elif asked is not None and asked[1].poll() is not None:
        answer_to(asked[0], asked[1].stdout.read())
        asked = None
    time.sleep(0.01 * (number % 3))
if asked is not None:
    asked[1].terminate()
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": str(number), "num_turns": 1,
                  "duration_ms": 1, "total_cost_usd": 0.5}))
"""
READERS = (["ls"], ["show", "last"], ["tail", "last"], ["tail", "-f", "last"], ["wait", "last"], ["events"])


_COMMAND_SECONDS = 4.0
"""In which a command is killed: about as long as one takes beside so many others, so that some come through."""


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
    """By status."""
    events: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.supervisors_killed} supervisors, {self.hooks_killed} hooks, {self.readers_killed} readers,"
            f" {self.launchers_killed} launchers, {self.interrupters_killed} interrupters and"
            f" {self.approvers_killed} approvers killed; {self.sessions} sessions, {self.events} events and"
            f" {sum(self.approvals.values())} approvals {self.approvals} compared, {len(self.faults)} faults"
        )


class Storm:
    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._chance = random.Random(seed)
        self._commands: list[subprocess.Popen[str]] = []
        self.report = Report()
        sandbox.claude(STREAM)
        self._lasting = [sandbox.launch(f"Session {number}", "--approvals") for number in range(SESSIONS)]

    def blow(self, kills: int) -> None:
        """Until that many supervisors have been killed, and with them what goes on beside."""
        report, chance = self.report, self._chance
        while report.supervisors_killed < kills:
            self._commands.append(self._start(*chance.choice(READERS)))
            time.sleep(chance.uniform(0, 0.2))
            report.supervisors_killed += self._kill_one_of(self._sandbox.supervisors())
            if chance.random() < 0.2:
                report.hooks_killed += self._kill_one_of(self._sandbox.running("hook/__main__.py"))
            if chance.random() < 0.3:
                report.approvers_killed += self._kill_in_the_act(chance.choice(["approve", "deny"]), "--all")
            if len(self._commands) > 4:
                report.readers_killed += _kill(self._commands.pop(chance.randrange(len(self._commands))))
            if chance.random() < 0.1:
                report.launchers_killed += self._kill_in_the_act("launch", "Briefly", "--approvals")
            if chance.random() < 0.1 and (brief := self._brief_sessions()):
                report.interrupters_killed += self._kill_in_the_act("interrupt", "--no-wait", chance.choice(brief))

    def settle(self) -> None:
        """Lets all sessions end, and compares each with its journal."""
        for command in self._commands:
            _kill(command)
        (self._sandbox.work / "enough").touch()
        eventually(self._have_all_ended, "all sessions to end")
        for session_id in self._sandbox.ok("ls", "-q").split():
            self.report.faults += [f"{session_id}: {fault}" for fault in self._faults(session_id)]
            self.report.sessions += 1
        self.report.faults += list(self._faults_of_approvals())
        self.report.events = int(self._sandbox.sql("SELECT count(*) FROM conversation_events")[0][0])
        eventually(lambda: not self._sandbox.processes(), "all processes to leave")

    def _have_all_ended(self) -> bool:
        # A hook whose shell alone was killed still waits, and its Claude Code for it.
        self._sandbox.ok("deny", "--all")
        self._sandbox.ok("ls")
        return not self._sandbox.sql("SELECT id FROM sessions WHERE completed_at IS NULL")

    def _faults_of_approvals(self) -> Iterator[str]:
        """Each is told once, resolved once, and the model heard of no permission that nobody gave."""
        sql = self._sandbox.sql
        self.report.approvals = dict(sql("SELECT status, count(*) FROM approvals GROUP BY status"))
        if self.report.approvals.get("pending"):
            yield "a request waits in a session that has ended"
        for kind in ("new_approval", "approval_resolved"):
            told = sql(_FIRST_CHANGES, kind)
            if told != sql("SELECT id FROM approvals ORDER BY 1"):
                yield f"{kind} is not told once for each request"
        heard = (
            "SELECT count(*) FROM conversation_events r JOIN approvals a ON a.session_id = r.session_id"
            " AND a.tool_use_id = r.tool_result_for_id WHERE r.tool_result_content = 'allow' AND a.status != 'approved'"
        )
        if sql(heard) != [(0,)]:
            yield "the model heard of a permission that nobody gave"

    def _faults(self, session_id: str) -> list[str]:
        session = self._sandbox.show(session_id)
        found = faults(self._sandbox, session_id)
        if session["end_reason"] not in self._rightly(session):
            found.append(f"ended as {session['end_reason']}")
        return found

    def _rightly(self, session: Json) -> set[str]:
        if session["id"] in self._lasting:
            return {"success"}
        (intent,) = self._sandbox.sql("SELECT interrupt_requested_at FROM sessions WHERE id = ?", session["id"])[0]
        if intent is not None:
            return {"interrupted"}
        # A launch whose supervisor died before Claude Code began.
        return {"success"} if self._sandbox.files(session["id"]).journal.stat().st_size else {"lost"}

    def _brief_sessions(self) -> list[str]:
        rows = self._sandbox.sql("SELECT id FROM sessions WHERE query = 'Briefly' AND completed_at IS NULL")
        return [session_id for (session_id,) in rows]

    def _start(self, *words: str) -> subprocess.Popen[str]:
        return self._sandbox.popen(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _kill_in_the_act(self, *words: str) -> int:
        command = self._start(*words)
        time.sleep(self._chance.uniform(0, self._chance.choice([0.5, _COMMAND_SECONDS])))
        return _kill(command)

    def _kill_one_of(self, processes: list[psutil.Process]) -> int:
        if not processes:
            return 0
        try:
            self._chance.choice(processes).kill()
        except psutil.NoSuchProcess:
            return 0
        return 1


def run(sandbox: Sandbox, kills: int, seed: int) -> Report:
    storm = Storm(sandbox, seed)
    storm.blow(kills)
    storm.settle()
    return storm.report


def _kill(command: subprocess.Popen[str]) -> int:
    alive = command.poll() is None
    command.kill()
    command.wait()
    return int(alive)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(Path(directory) / "sandbox")
        try:
            report = run(sandbox, wanted.kills, wanted.seed)
        finally:
            sandbox.close()
    print(f"seed {wanted.seed}: {report}")
    print("\n".join(report.faults))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
