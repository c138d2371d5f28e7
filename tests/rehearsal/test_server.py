from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hldctl.rehearsal.script import parse
from hldctl.rehearsal.server import RehearsalServer
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox

SCRIPT = """
say First.

fail 529 x1 busy

say Second.

[other]
say Otherwise.
"""


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    server = RehearsalServer(parse(SCRIPT))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(server: RehearsalServer, *messages: tuple[str, Any], path: str = "/v1/messages", stream: bool = False) -> Any:
    body = {
        "model": "m",
        "stream": stream,
        "messages": [{"role": role, "content": content} for role, content in messages],
    }
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), {"x-api-key": server.key})
    with urllib.request.urlopen(request) as response:
        answer = response.read()
    return answer.decode() if stream else json.loads(answer)


def test_turns_are_counted_per_conversation(server: RehearsalServer) -> None:
    assert ask(server, ("user", "hello"))["content"] == [{"type": "text", "text": "First."}]
    assert ask(server, ("user", "some other"))["content"][0]["text"] == "Otherwise."
    # The prompt that is being answered, not the previous one.
    assert ask(server, ("user", "other"), ("assistant", "x"), ("user", "hello"))["content"][0]["text"] == "First."


def test_turn_that_fails_n_times_is_then_skipped(server: RehearsalServer) -> None:
    conversation = ("user", "hello"), ("assistant", "First."), ("user", [{"type": "tool_result", "content": "x"}])
    with pytest.raises(urllib.error.HTTPError, match="529"):
        ask(server, *conversation)
    assert ask(server, *conversation)["content"][0]["text"] == "Second."


def test_server_reports_the_end_of_the_script(server: RehearsalServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        ask(server, ("user", "other"), ("assistant", "x"), ("user", [{"type": "tool_result", "content": "x"}]))


def test_other_requests_are_not_found(server: RehearsalServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(server, ("user", "hello"), path="/v1/elsewhere")


def test_streamed_events_add_up_to_the_answer(server: RehearsalServer) -> None:
    events = [
        json.loads(line[6:]) for line in ask(server, ("user", "hello"), stream=True).split("\n") if "data:" in line
    ]
    text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    assert text == "First."
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]


def test_command_line_runs_a_program_with_the_variables(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("say hi")
    module = [sys.executable, "-m", "hldctl.rehearsal"]
    done = subprocess.run([*module, script, "--", "env"], capture_output=True, text=True, check=True)
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:" in done.stdout
    script.write_text("sing")
    wrong = subprocess.run([*module, script, "--", "env"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "line 1" in wrong.stderr) == (2, True)
    assert subprocess.run(module, capture_output=True, check=False).returncode == 2


def test_notification_does_not_restart_the_script(server: RehearsalServer) -> None:
    notice = ("user", "<system-reminder>\n[SYSTEM NOTIFICATION - NOT USER INPUT]\nA task has ended.")
    answered = ("user", "hello"), ("assistant", "First."), notice
    with pytest.raises(urllib.error.HTTPError, match="529"):
        ask(server, *answered)
    assert ask(server, *answered)["content"][0]["text"] == "Second."
    assert ask(server, *answered, ("assistant", "Second."), notice)["content"][0]["text"] == "Noted."


def test_only_the_loopback_address_is_served(server: RehearsalServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    # On Linux a server that listens on all addresses answers on all of 127.0.0.0/8.
    with socket.socket() as elsewhere:
        elsewhere.settimeout(5)
        assert elsewhere.connect_ex(("127.0.0.2", server.server_address[1])) != 0


def status(server: RehearsalServer, method: str, path: str, headers: dict[str, str]) -> int:
    """Send a request without its body; return the response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=TIMEOUT_SECONDS)
    try:
        connection.putrequest(method, path)
        for name, value in {"Content-Length": "2", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        if headers.get("Content-Length") is None:
            connection.send(b"{}")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "PUT", "DELETE"])
def test_request_without_the_key_is_refused(server: RehearsalServer, method: str) -> None:
    for headers in (
        {},
        {"x-api-key": "sk-ant-rehearsal"},
        {"Authorization": "Bearer é"},
        {"x-api-key": server.key[:-1]},
    ):
        assert status(server, method, "/v1/messages", headers) == 401
    assert list(server.requests) == []


def test_each_rehearsal_has_its_own_key_also_valid_as_a_login(server: RehearsalServer) -> None:
    other = RehearsalServer(parse(SCRIPT))
    other.server_close()
    assert other.key != server.key
    assert status(server, "GET", "/", {"x-api-key": server.key}) == 404
    assert status(server, "GET", "/", {"Authorization": f"Bearer {server.key}"}) == 404


@pytest.mark.parametrize(("length", "answered"), [("-1", 400), ("x", 400), ("999999999999", 413), ("9" * 5000, 413)])
def test_request_too_long_for_memory_is_refused(server: RehearsalServer, length: str, answered: int) -> None:
    headers = {"x-api-key": server.key, "Content-Length": length}
    assert status(server, "POST", "/v1/messages", headers) == answered
    # Without the key the request is not parsed.
    assert status(server, "POST", "/v1/messages", {"Content-Length": length}) == 401


@pytest.mark.parametrize("limit", ["", "limit 2s\n\n"], ids=["key", "login"])
def test_only_the_rehearsed_session_can_read_its_script(sandbox: Sandbox, limit: str) -> None:
    script = sandbox.work / "script"
    script.write_text(f'{limit}say One.\ncall Bash {{"command": "until [ -e go-on ]; do sleep 0.1; done"}}\n\nsay Two.')
    options = ["--allowed-tools", "Bash", *(["--wait-for-reset"] if limit else [])]
    session_id = sandbox.launch("Hello", "--rehearse", script, *options)
    sandbox.wait_for_journal(session_id, "go-on")
    files = sandbox.files(session_id)
    settings = json.loads(files.settings_for_rehearsal.read_bytes())["env"]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(settings["ANTHROPIC_BASE_URL"] + "/v1/messages", body)
    # The key is in a file that only the user can read.
    assert files.settings_for_rehearsal.stat().st_mode & 0o077 == 0
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "Two."
