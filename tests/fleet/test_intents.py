"""Commands for sessions of other machines, which travel through the record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.postgres import Record
from tests.helpers.sandbox import Json, Sandbox, eventually

GATED = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Done.'
ASKING = 'call Bash {"command": "echo approved > answer"}\n\nsay Done.'
TOOLS = ("--allowed-tools", "Bash")


@pytest.fixture
def asker(sandbox: Sandbox, other: Sandbox, record: Record) -> Sandbox:
    """The machine where commands are typed; `sandbox` is the one whose sessions they are for."""
    for machine in (sandbox, other):
        machine.ok("fleet", "join", record.url)
    return other


def wait_until_recorded(asker: Sandbox, session_id: str) -> None:
    eventually(lambda: asker.run("show", session_id).returncode == 0, "the session in the record")


def pending_request(asker: Sandbox) -> Json:
    """Return the request that waits in the fleet."""
    listed = eventually(lambda: json.loads(asker.ok("approvals", "--fleet", "--json")), "a request in the record")
    request: Json = listed[0]
    return request


def test_session_is_interrupted_from_another_machine(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    wait_until_recorded(asker, session_id)
    done = asker.run("interrupt", session_id[:8])
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{session_id} interrupted\n", "")
    assert sandbox.show(session_id)["status"] == "interrupted"


@pytest.mark.parametrize(("command", "answer"), [("approve", "approved"), ("deny", None)])
def test_request_is_answered_from_another_machine(
    sandbox: Sandbox, asker: Sandbox, command: str, answer: str | None
) -> None:
    sandbox.serve_script(ASKING)
    session_id = sandbox.launch("Go", "--approvals")
    request = pending_request(asker)
    done = asker.run(command, request["id"][:8], "--comment", "From afar.")
    assert (done.returncode, done.stdout) == (0, f"{request['id']}\n"), done.stderr
    assert "echo approved > answer" in done.stderr
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    written = sandbox.work / "answer"
    assert (written.read_text().strip() if written.exists() else None) == answer
    (answered,) = json.loads(sandbox.ok("approvals", "--all", "--json"))
    assert (answered["answered_by"], answered["comment"]) == ("hldctl", "From afar.")
    assert answered["answered_from"]["asked_by"] == "hldctl"
    done = asker.run(command, request["id"])
    assert done.returncode == 4


def test_message_of_several_megabytes_is_sent_from_another_machine(
    sandbox: Sandbox, asker: Sandbox, tmp_path: Path
) -> None:
    sandbox.serve_script("say Heard.")
    session_id = sandbox.launch("Go", "--keep-open")
    eventually(lambda: sandbox.show(session_id)["status"] == "idle", "the session to be idle")
    wait_until_recorded(asker, session_id)
    file = tmp_path / "message"
    file.write_text("Read 'this' \"text\" – $HOME `id`\n" * 40_000)
    done = asker.run("send", session_id, "--file", file, "--wait")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Heard.\n", "")
    (_, message) = [event for event in sandbox.events(session_id) if event["role"] == "user"]
    assert message["content"].strip() == file.read_text().strip()
    done = asker.run("close", session_id)
    assert (done.returncode, done.stdout) == (0, f"{session_id} completed\n"), done.stderr
