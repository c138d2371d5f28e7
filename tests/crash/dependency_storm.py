"""Kill supervisors at random times while a graph of sessions runs, each after some others, then look for early starts.

`python -m tests.crash.dependency_storm --kills 200` prints what was killed and started, and exits with 1 if there was a
fault. The test suite runs a short version. What counts is what each Claude Code wrote when it started and ended.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, field

from tests.crash.storm import kill_one_of, main
from tests.helpers.sandbox import Sandbox, eventually

SESSIONS = 200
# Launches that a session may come after: those of a short while ago, so that many wait at the same time.
_WINDOW = 12
_MAX_PREDECESSORS = 3
# One session in this number fails, and with it all that wait for its completion.
_FAILURE_INTERVAL = 29
# Short sessions, and a root that holds up the others until all have been launched.
_CLAUDE = """
query = json.loads(sys.stdin.readline())["message"]["content"]
def write(**line): print(json.dumps(line), flush=True)
def note(what):
    line = f"{time.monotonic_ns()} {what} {query}\\n".encode()
    file = os.open("story", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line)
    os.close(file)
note("starts")
write(type="system", subtype="init", session_id="c" + query, model="claude-opus-5")
while query == "session-0" and not os.path.exists("go-on"): time.sleep(0.05)
time.sleep(0.1)
note("ends")
is_error = query.endswith("-fails")
write(type="result", subtype="success", is_error=is_error, result=query, num_turns=1)
sys.exit(int(is_error))
"""


@dataclass
class Report:
    supervisors_killed: int = 0
    sessions: int = 0
    dependencies: int = 0
    started: int = 0
    failed_dependants: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.supervisors_killed} supervisors killed; {self.sessions} sessions with {self.dependencies}"
            f" dependencies, {self.started} started, {self.failed_dependants} ended because of a predecessor,"
            f" in {self.seconds:.0f} s, {len(self.faults)} faults"
        )


@dataclass(frozen=True)
class Node:
    """A session of the graph."""

    query: str
    id: str
    after: list[str]
    """The queries of the sessions that must complete before."""
    after_any: list[str]
    """The queries of the sessions that must end before."""


class Storm:
    def __init__(self, sandbox: Sandbox, seed: int, sessions: int) -> None:
        self._sandbox = sandbox
        self._chance = random.Random(seed)
        self._nodes: dict[str, Node] = {}
        self.report = Report(sessions=sessions)
        sandbox.fake_claude(_CLAUDE)
        for number in range(sessions):
            self._launch(number)

    def _launch(self, number: int) -> None:
        is_failing = number % _FAILURE_INTERVAL == _FAILURE_INTERVAL - 1
        query = f"session-{number}{'-fails' if is_failing else ''}"
        recent = list(self._nodes)[-_WINDOW:]
        before = self._chance.sample(recent, min(len(recent), self._chance.randint(1, _MAX_PREDECESSORS)))
        # Most only wait for the end, so that a failure does not end the whole rest of the graph.
        split = self._chance.choice([0, 0, 1])
        after, after_any = before[:split], before[split:]
        options = [*(f"--after={self._nodes[each].id}" for each in after)]
        options += [f"--after-any={self._nodes[each].id}" for each in after_any]
        session_id = self._sandbox.launch(query, *options)
        self._nodes[query] = Node(query, session_id, after, after_any)
        self.report.dependencies += len(before)

    def rage(self, kills: int) -> None:
        """Let the graph run, and kill N supervisors, fewer if it has run by then."""
        self._began = time.monotonic()
        self._sandbox.release()
        while self.report.supervisors_killed < kills and (supervisors := self._sandbox.supervisors()):
            self.report.supervisors_killed += kill_one_of(self._chance, supervisors)
            time.sleep(self._chance.uniform(0, 0.2))

    def settle(self) -> None:
        """Let all sessions end without any command, and compare their order with the graph."""
        unfinished = "SELECT 1 FROM sessions WHERE completed_at IS NULL"
        eventually(lambda: not self._sandbox.sql(unfinished), "all sessions to end", patience=900)
        self.report.seconds = time.monotonic() - self._began
        starts, ends = self._story()
        reasons = dict(self._sandbox.sql("SELECT query, end_reason FROM sessions"))
        for node in self._nodes.values():
            self.report.faults += list(self._faults(node, starts, ends, reasons))
        self.report.started = len(starts)
        self.report.failed_dependants = sum(reason == "dependency_failed" for reason in reasons.values())
        eventually(lambda: not self._sandbox.processes(), "all processes to leave")

    def _story(self) -> tuple[dict[str, list[int]], dict[str, int]]:
        """Return the times at which each Claude Code started, and at which it ended."""
        starts: dict[str, list[int]] = {}
        ends: dict[str, int] = {}
        for line in (self._sandbox.work / "story").read_text().splitlines():
            moment, what, query = line.split()
            if what == "starts":
                starts.setdefault(query, []).append(int(moment))
            else:
                ends[query] = int(moment)
        return starts, ends

    def _faults(
        self, node: Node, starts: dict[str, list[int]], ends: dict[str, int], reasons: dict[str, str]
    ) -> list[str]:
        count = len(starts.get(node.query, []))
        culprits = [each for each in node.after if reasons[each] != "success"]
        if culprits:
            is_correct = count == 0 and reasons[node.query] == "dependency_failed"
            return [] if is_correct else [f"{node.query} is {reasons[node.query]} after {culprits}, {count} starts"]
        faults = [] if count == 1 else [f"{node.query} was started {count} times"]
        expected = "api_error" if node.query.endswith("-fails") else "success"
        if reasons[node.query] != expected:
            faults.append(f"{node.query} ended as {reasons[node.query]}")
        for before in (*node.after, *node.after_any):
            # One that never started has ended, too.
            if before in ends and count and min(starts[node.query]) < ends[before]:
                faults.append(f"{node.query} was started before the end of {before}")
        return faults


def run(sandbox: Sandbox, kills: int, seed: int, sessions: int = SESSIONS) -> Report:
    storm = Storm(sandbox, seed, sessions)
    storm.rage(kills)
    storm.settle()
    return storm.report


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
