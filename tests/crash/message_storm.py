"""Kill supervisors, senders and Claude Code at random times while messages are sent, then look for lost ones.

`python -m tests.crash.message_storm --kills 1000` prints what was killed, sent, lost and doubled, and exits with 1 if
there was a fault. The test suite runs a short version. What counts is what the scripted API received.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.crash.storm import kill_one_of, main
from tests.helpers.restarts import skip_delay
from tests.helpers.sandbox import Sandbox, eventually

SESSIONS = 3
_SCRIPT = "say Noted."
# A sender is killed within this time: a little longer than it takes.
_SENDER_SECONDS = 0.8
# Senders that run at the same time.
_MAX_SENDERS = 6
_MARK = "message-"


@dataclass
class Report:
    supervisors_killed: int = 0
    senders_killed: int = 0
    claudes_killed: int = 0
    recorded: int = 0
    """The messages that are in the database: some senders were killed before they could record theirs."""
    acknowledged: int = 0
    """The messages whose sender printed the id."""
    faults: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.supervisors_killed + self.senders_killed + self.claudes_killed

    def __str__(self) -> str:
        return (
            f"{self.supervisors_killed} supervisors, {self.senders_killed} senders and {self.claudes_killed} processes"
            f" of Claude Code killed; {self.recorded} messages recorded, {self.acknowledged} acknowledged,"
            f" {len(self.faults)} faults"
        )


class Storm:
    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._chance = random.Random(seed)
        self._senders: list[tuple[str, subprocess.Popen[str]]] = []
        self._acknowledged: set[str] = set()
        self._count = 0
        self.report = Report()
        sandbox.serve_script(_SCRIPT)
        self._sessions = [
            sandbox.launch(f"Session {number}", "--keep-open", "--retries", "1000") for number in range(SESSIONS)
        ]

    def rage(self, kills: int) -> None:
        """Send messages, and kill N processes."""
        chance, report = self._chance, self.report
        while report.kills < kills:
            session_id = chance.choice(self._sessions)
            self._send(session_id)
            time.sleep(chance.uniform(0, 0.3))
            dice = chance.random()
            if dice < 0.5:
                report.supervisors_killed += kill_one_of(self._chance, self._sandbox.supervisors())
            elif dice < 0.6:
                report.claudes_killed += self._kill_claude(session_id)
            elif self._senders:
                report.senders_killed += self._kill_sender()
            self._skip_delays()
            self._collect()

    def settle(self) -> None:
        """Let the sessions get all messages, and compare with what the API got."""
        for _, sender in self._senders:
            self._await_sender(sender)
        self._collect()
        pending = "SELECT 1 FROM messages WHERE status NOT IN ('delivered', 'cancelled')"

        def are_delivered() -> bool:
            self._skip_delays()
            self._sandbox.ok("ls")
            return not self._sandbox.sql(pending)

        eventually(are_delivered, "all messages to be delivered")
        self.report.acknowledged = len(self._acknowledged)
        for number, session_id in enumerate(self._sessions):
            self._sandbox.ok("send", "--wait", session_id, f"end-{number}")
            self.report.faults += [f"{session_id}: {fault}" for fault in self._faults(session_id, f"end-{number}")]
        self._sandbox.ok("close", *self._sessions)
        eventually(lambda: not self._sandbox.processes(), "all processes to leave")

    def _await_sender(self, sender: subprocess.Popen[str]) -> None:
        def has_ended() -> bool:
            self._skip_delays()
            return sender.poll() is not None

        eventually(has_ended, "a sender to end")

    def _skip_delays(self) -> None:
        """Restart Claude Code at once: the pauses between its restarts grow to hours."""
        for (session_id,) in self._sandbox.sql("SELECT id FROM sessions WHERE status = 'starting'"):
            skip_delay(self._sandbox, session_id)

    def _send(self, session_id: str) -> None:
        if len(self._senders) >= _MAX_SENDERS:
            self._await_sender(self._senders[0][1])
            self._collect()
        self._count += 1
        text = f"{_MARK}{self._count}."
        self._senders.append((text, self._sandbox.popen("send", session_id, text)))

    def _collect(self) -> None:
        """Take note of the senders that have printed an id."""
        running = []
        for text, sender in self._senders:
            if sender.poll() is None:
                running.append((text, sender))
                continue
            output, errors = sender.communicate()
            if sender.returncode == 0 and output.strip():
                self._acknowledged.add(output.strip())
            elif sender.returncode not in (0, -9):
                self.report.faults.append(f"{text} was refused: {errors.strip()}")
        self._senders = running

    def _faults(self, session_id: str, last: str) -> Iterator[str]:
        """Yield a fault for each message that the API did not get once, or that it got and was not recorded."""
        rows = self._sandbox.sql(
            "SELECT id, text, status FROM messages WHERE session_id = ? AND text LIKE ? ORDER BY rowid",
            session_id,
            f"{_MARK}%",
        )
        self.report.recorded += len(rows)
        received = Counter(self._received(last))
        for message_id, text, status in rows:
            count = received.pop(text, 0)
            if (status, count) != ("delivered", 1):
                was = "acknowledged" if message_id in self._acknowledged else "not acknowledged"
                yield f"{text} is {status}, {was}, and was received {count} times"
        if received:
            yield f"not recorded, but received: {received}"
        events = self._sandbox.sql(
            "SELECT content FROM conversation_events WHERE session_id = ? AND note_kind = 'sent' ORDER BY sequence",
            session_id,
        )
        # A message is there twice if Claude Code had repeated it, and was killed before it was in its transcript.
        if {content for (content,) in events if content.startswith(_MARK)} != {text for _, text, _ in rows}:
            yield "the conversation has other messages than the database"

    def _received(self, last: str) -> Iterator[str]:
        """Yield the messages in the request that has the last one: it has the whole conversation."""
        assert self._sandbox.server is not None
        requests = [json.dumps(request["messages"]) for request in self._sandbox.server.requests]
        request = next(request for request in reversed(requests) if last in request)
        for message in json.loads(request):
            if message["role"] == "user":
                for line in _texts(message["content"]):
                    if line.startswith(_MARK):
                        yield line

    def _kill_sender(self) -> int:
        time.sleep(self._chance.uniform(0, _SENDER_SECONDS))
        _, sender = self._chance.choice(self._senders)
        is_running = sender.poll() is None
        sender.kill()
        return int(is_running)

    def _kill_claude(self, session_id: str) -> int:
        rows = self._sandbox.sql("SELECT pid FROM sessions WHERE id = ? AND status IN ('running', 'idle')", session_id)
        processes = self._sandbox.processes(lambda process: [(process.pid,)] == rows)
        return kill_one_of(self._chance, processes)


def _texts(content: Any) -> Iterator[str]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in blocks:
        if block.get("type") == "text":
            yield from block["text"].splitlines()


def run(sandbox: Sandbox, kills: int, seed: int) -> Report:
    storm = Storm(sandbox, seed)
    storm.rage(kills)
    storm.settle()
    return storm.report


if __name__ == "__main__":
    sys.exit(main(run, __doc__))
