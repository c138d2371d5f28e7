"""The HTTP server of a rehearsal, which answers POST /v1/messages from the script and anything else with 404.

Every local user can reach the port, so a request without this rehearsal's own key is refused before its body is read.
"""

from __future__ import annotations

import hmac
import json
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hldctl.rehearsal import responses
from hldctl.rehearsal.position import Position, find_position, refusal
from hldctl.rehearsal.script import Script
from hldctl.rehearsal.state import RefusalRecord
from hldctl.rehearsal.steps import AwaitMessage, Fail, Hang, Limit, Turn, Wait

_HOST = "127.0.0.1"
OTHER_API_VARIABLES = (
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_IDENTITY_TOKEN",
    "ANTHROPIC_IDENTITY_TOKEN_FILE",
    "ANTHROPIC_UNIX_SOCKET",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_GATEWAY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_VERTEX",
)
"""Variables that make Claude Code use another API or other credentials (2.1.330)."""
# The limit of the API itself: https://docs.anthropic.com/en/api/errors#request-size-limits.
_MAX_REQUEST_BYTES = 32 << 20


class RehearsalServer(ThreadingHTTPServer):
    """A server that plays one script to any number of conversations, on a free port of the loopback interface."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, script: Script, port: int = 0, memory: RefusalRecord | None = None, *, for_terminal: bool = False
    ) -> None:
        """`for_terminal` is true if Claude Code runs in a terminal, where it asks before it uses an API key."""
        super().__init__((_HOST, port), _Handler)
        self._for_terminal = for_terminal
        self.script = script
        self.requests: deque[dict[str, Any]] = deque(maxlen=100)
        """The last requests, which show what the model would have received."""
        self.stopping = threading.Event()
        self.key = f"sk-ant-rehearsal-{secrets.token_urlsafe(32)}"
        """The API key that Claude Code has to send; it differs in each rehearsal."""
        self._memory = memory or RefusalRecord(None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """Return the variables that make Claude Code use only this server; empty ones count as not set."""
        return {
            **dict.fromkeys(OTHER_API_VARIABLES, ""),
            "ANTHROPIC_API_KEY": "",
            **self._credentials(),
            "ANTHROPIC_BASE_URL": self.url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
        }

    def variables(self, launcher: Mapping[str, str]) -> dict[str, str]:
        """Return the complete environment of a command whose Claude Code uses this server."""
        unproxied_hosts = [launcher.get("NO_PROXY") or launcher.get("no_proxy") or "", _HOST]
        no_proxy = ",".join(filter(None, unproxied_hosts))
        return {**launcher, **self.environment(), "NO_PROXY": no_proxy, "no_proxy": no_proxy}

    def settings(self, user_settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings for Claude Code's --settings, which override the user's other settings."""
        variables = user_settings.get("env")
        environment = {**variables} if isinstance(variables, dict) else {}
        environment |= {**self.environment(), "NO_PROXY": _HOST, "no_proxy": _HOST}
        return {**user_settings, "apiKeyHelper": "", "env": environment}

    def _credentials(self) -> dict[str, str]:
        """Return an API key, or a login if the script has usage limits: only subscriptions have them (2.1.330)."""
        if self.script.has_limits:
            return {"CLAUDE_CODE_OAUTH_TOKEN": self.key}
        if self._for_terminal:
            return {"ANTHROPIC_AUTH_TOKEN": self.key}
        return {"ANTHROPIC_API_KEY": self.key}

    def has_valid_key(self, headers: Message) -> bool:
        """Return whether a request has the right key, by a comparison in constant time."""
        request_key = headers.get("x-api-key") or (headers.get("Authorization") or "").removeprefix("Bearer ")
        return hmac.compare_digest(request_key.encode(errors="replace"), self.key.encode())

    def next_turn(self, request: dict[str, Any]) -> Turn:
        """Return the script's next turn in this conversation; temporary failures and limits are skipped when over."""
        current = find_position(request.get("messages", []), self.script)
        user_id = str((request.get("metadata") or {}).get("user_id", ""))
        turn = self._turn((user_id, current.prompt), current)
        if turn is None or isinstance(turn[0], AwaitMessage):
            turn = current.otherwise
        return turn or (Fail(400, "the rehearsal script has no further answer to this prompt", None),)

    def _turn(self, conversation: tuple[str, str], position: Position) -> Turn | None:
        played = 0
        for number, turn in enumerate(position.turns):
            if (step := refusal(turn)) is not None:
                # A limit is the account's, and so the same for all sessions that share the server.
                place = self.script.section_of(position.turns) if isinstance(step, Limit) else conversation
                if played == position.played and (current := self._current_refusal(step, repr((place, number)))):
                    return (current,)
                continue
            if played == position.played:
                return turn
            played += 1
        return None

    def _current_refusal(self, refusal: Fail | Hang | Limit, key: str) -> Fail | Hang | Limit | None:
        """Return the failure, the silence or the rest of the limit; None if it is over."""
        if isinstance(refusal, Fail | Hang):
            return refusal if self._memory.count(key) <= (refusal.times or 0) else None
        seconds_left = self._memory.first_time(key, time.time()) + refusal.seconds - time.time()
        return Limit(seconds_left) if seconds_left > 0 else None

    def shutdown(self) -> None:
        self.stopping.set()
        super().shutdown()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the error: clients that disconnect during a response are expected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RehearsalServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self._is_admitted():
            self._send_json(404, responses.error_body(404, "not part of the rehearsal"))

    do_HEAD = do_PUT = do_DELETE = do_GET

    def do_POST(self) -> None:
        if not self._is_admitted() or (body := self._body()) is None:
            return None
        if self.path.partition("?")[0] != "/v1/messages":
            return self.do_GET()
        request = json.loads(body)
        self.server.requests.append(request)
        turn = self.server.next_turn(request)
        for step in turn:
            if isinstance(step, Limit):
                return self._send_limit(step)
            if isinstance(step, Fail):
                return self._send_json(step.status, responses.error_body(step.status, step.message))
        if request.get("stream"):
            self._send_stream(turn, request)
        else:
            self._send_json(200, responses.complete_message(turn, request))
        return None

    def _is_admitted(self) -> bool:
        if self.server.has_valid_key(self.headers):
            return True
        self._refuse(401, "this is a rehearsal, and the request does not present its key")
        return False

    def _body(self) -> bytes | None:
        """Return the request's body; None if it was refused because of its length."""
        length = self.headers.get("Content-Length") or "0"
        if not (length.isascii() and length.isdecimal()):
            self._refuse(400, "the Content-Length is not a number")
            return None
        if len(length) > len(str(_MAX_REQUEST_BYTES)) or int(length) > _MAX_REQUEST_BYTES:
            self._refuse(413, f"the request is longer than {_MAX_REQUEST_BYTES} bytes")
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: int, message: str) -> None:
        # The body is not read.
        self.close_connection = True
        self._send_json(status, responses.error_body(status, message), {"Connection": "close"})

    def _send_limit(self, limit: Limit) -> None:
        # Whole seconds, rounded up so that the limit has ended then. Claude Code 2.1.330 uses only these headers.
        headers = {"reset": str(math.ceil(time.time() + limit.seconds)), "representative-claim": "five_hour"}
        unified = {f"anthropic-ratelimit-unified-{name}": value for name, value in headers.items()}
        self._send_json(429, responses.error_body(429, "a limit of the rehearsal"), unified)

    def _send_json(self, status: int, value: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        payload = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
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
        for event in responses.stream_events(turn, request):
            if isinstance(event, Wait):
                time.sleep(event.seconds)
            elif isinstance(event, Hang):
                self.server.stopping.wait()
                return
            else:
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
