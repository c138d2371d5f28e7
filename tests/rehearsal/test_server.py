from __future__ import annotations

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

SCRIPT = """
say First.

fail 529 x1 busy

say Second.

[other]
say Otherwise.
"""


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    made = RehearsalServer(parse(SCRIPT))
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def ask(server: RehearsalServer, *messages: tuple[str, Any], path: str = "/v1/messages", stream: bool = False) -> Any:
    body = {"model": "m", "stream": stream, "messages": [{"role": role, "content": said} for role, said in messages]}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode())
    with urllib.request.urlopen(request) as response:
        answer = response.read()
    return answer.decode() if stream else json.loads(answer)


def test_a_conversations_own_turns_count(server: RehearsalServer) -> None:
    assert ask(server, ("user", "hello"))["content"] == [{"type": "text", "text": "First."}]
    assert ask(server, ("user", "some other"))["content"][0]["text"] == "Otherwise."
    # The prompt that is being answered, not the one before.
    assert ask(server, ("user", "other"), ("assistant", "x"), ("user", "hello"))["content"][0]["text"] == "First."


def test_a_turn_that_fails_a_number_of_times_is_passed_over_then(server: RehearsalServer) -> None:
    conversation = ("user", "hello"), ("assistant", "First."), ("user", [{"type": "tool_result", "content": "x"}])
    with pytest.raises(urllib.error.HTTPError, match="529"):
        ask(server, *conversation)
    assert ask(server, *conversation)["content"][0]["text"] == "Second."


def test_behind_the_last_turn_it_says_so(server: RehearsalServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        ask(server, ("user", "other"), ("assistant", "x"), ("user", [{"type": "tool_result", "content": "x"}]))


def test_anything_else_is_not_found(server: RehearsalServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(server, ("user", "hello"), path="/v1/elsewhere")


def test_streamed_events_add_up_to_the_answer(server: RehearsalServer) -> None:
    events = [
        json.loads(line[6:]) for line in ask(server, ("user", "hello"), stream=True).split("\n") if "data:" in line
    ]
    said = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    assert said == "First."
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]


def test_as_a_command_it_runs_another_with_its_variables(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("say hi")
    module = [sys.executable, "-m", "hldctl.rehearsal"]
    done = subprocess.run([*module, script, "--", "env"], capture_output=True, text=True, check=True)
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:" in done.stdout
    script.write_text("sing")
    wrong = subprocess.run([*module, script, "--", "env"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "line 1" in wrong.stderr) == (2, True)
    assert subprocess.run(module, capture_output=True, check=False).returncode == 2


def test_a_notification_does_not_start_the_script_over(server: RehearsalServer) -> None:
    notice = ("user", "<system-reminder>\n[SYSTEM NOTIFICATION - NOT USER INPUT]\nA task has ended.")
    answered = ("user", "hello"), ("assistant", "First."), notice
    with pytest.raises(urllib.error.HTTPError, match="529"):
        ask(server, *answered)
    assert ask(server, *answered)["content"][0]["text"] == "Second."
    assert ask(server, *answered, ("assistant", "Second."), notice)["content"][0]["text"] == "Noted."


def test_only_this_machine_s_own_loopback_address_is_served(server: RehearsalServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    # Linux answers on the whole of 127.0.0.0/8 for a server that listens everywhere.
    with socket.socket() as elsewhere:
        elsewhere.settimeout(5)
        assert elsewhere.connect_ex(("127.0.0.2", server.server_address[1])) != 0
