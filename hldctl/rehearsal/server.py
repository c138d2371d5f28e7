"""The HTTP server of a rehearsal: POST /v1/messages is answered from the script, anything else with 404."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hldctl.rehearsal import answer
from hldctl.rehearsal.conversation import position
from hldctl.rehearsal.script import Fail, Hang, Say, Script, Turn, Wait

_NOTED: Turn = (Say("Noted."),)
"""The answer to a notification for which the script has none."""


class RehearsalServer(ThreadingHTTPServer):
    """Plays one script to any number of conversations, on a free port of the loopback interface."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script: Script, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.script = script
        self.requests: deque[dict[str, Any]] = deque(maxlen=100)
        """What was asked last, for who wants to see what the model would have seen."""
        self.stopping = threading.Event()
        self._failures: Counter[str] = Counter()
        self._failures_lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """The variables that make Claude Code talk to this server and to nothing else."""
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-ant-rehearsal",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
        }

    def turn_for(self, messages: list[dict[str, Any]]) -> Turn:
        """The script's next turn in this conversation; a turn that fails N times is passed over after that."""
        where = position(messages)
        if where.notification and (turns := self.script.section_for(where.notification)) is not None:
            return self._turn(messages, turns, where.answers_since) or _NOTED
        found = self._turn(messages, self.script.turns_for(where.prompt), where.answers)
        if found is None and where.notification:
            return _NOTED
        return found or (Fail(400, f"the rehearsal script has no turn {where.answers + 1} for this prompt", None),)

    def _turn(self, messages: list[dict[str, Any]], turns: tuple[Turn, ...], answers: int) -> Turn | None:
        played = 0
        for turn in turns:
            failure = next((step for step in turn if isinstance(step, Fail)), None)
            if failure is not None and failure.times is not None:
                if played == answers and self._fails_again(messages, turn, failure.times):
                    return turn
                continue
            if played == answers:
                return turn
            played += 1
        return None

    def _fails_again(self, messages: list[dict[str, Any]], turn: Turn, times: int) -> bool:
        key = hashlib.sha256(repr((messages, turn)).encode()).hexdigest()
        with self._failures_lock:
            self._failures[key] += 1
            return self._failures[key] <= times

    def shutdown(self) -> None:
        self.stopping.set()
        super().shutdown()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave in mid-answer are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RehearsalServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._send_json(404, answer.error(404, "not part of the rehearsal"))

    do_HEAD = do_PUT = do_DELETE = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.partition("?")[0] != "/v1/messages":
            return self.do_GET()
        request = json.loads(body)
        self.server.requests.append(request)
        turn = self.server.turn_for(request.get("messages", []))
        for step in turn:
            if isinstance(step, Fail):
                return self._send_json(step.status, answer.error(step.status, step.message))
        if request.get("stream"):
            self._send_stream(turn, request)
        else:
            self._send_json(200, answer.whole(turn, request))
        return None

    def _send_json(self, status: int, value: dict[str, Any]) -> None:
        payload = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def _send_stream(self, turn: Turn, request: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in answer.stream(turn, request):
            if isinstance(event, Wait):
                time.sleep(event.seconds)
            elif isinstance(event, Hang):
                self.server.stopping.wait()
                return
            else:
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
