"""Commands for sessions of other machines, which travel through the record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.postgres import Record
from tests.helpers.sandbox import Json, Sandbox, eventually
from tests.helpers.terminal import Terminal

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


def test_question_is_answered_from_another_machine(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script("ask Which one?\n  - Red: Warm\n  - Blue: Cold\n\nsay Done.")
    session_id = sandbox.launch("Go", "--approvals")
    request = pending_request(asker)
    done = asker.run("answer", request["id"], "2")
    assert (done.returncode, done.stdout) == (0, f"{request['id']}\n"), done.stderr
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    (result,) = [event for event in sandbox.events(session_id) if event["event_type"] == "tool_result"]
    assert "Blue" in result["tool_result_content"]


def test_session_is_changed_and_continued_from_another_machine(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    # The link stays as long as a session does.
    sandbox.ok("launch", "Stay", "--keep-open")
    wait_until_recorded(asker, session_id)
    assert asker.ok("set", session_id, "--title", "From 'afar'", "--name", "parser") == ""
    assert sandbox.show("parser")["title"] == "From 'afar'"
    continued = asker.run("continue", session_id, "-", "--title", "Next", input="Go on with $HOME\n")
    assert continued.returncode == 0, continued.stderr
    new_id = continued.stdout.strip()
    assert sandbox.wait_for_end(new_id)["parent_session_id"] == session_id
    assert (sandbox.show(new_id)["query"], sandbox.show(new_id)["title"]) == ("Go on with $HOME\n", "Next")


def test_continued_session_is_followed(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    sandbox.ok("launch", "Stay", "--keep-open")
    wait_until_recorded(asker, session_id)
    followed = asker.run("continue", session_id, "Again", "--follow")
    assert (followed.returncode, "Done." in followed.stdout) == (0, True), followed.stderr
    waited = asker.run("continue", session_id, "Again", "--wait")
    assert (waited.returncode, waited.stdout) == (0, "Done.\n"), waited.stderr


def test_sessions_here_and_elsewhere_are_interrupted_together(sandbox: Sandbox, asker: Sandbox) -> None:
    ids = []
    for machine in (sandbox, asker):
        machine.serve_script(GATED)
        ids.append(machine.launch("Go", *TOOLS))
    wait_until_recorded(asker, ids[0])
    done = asker.run("interrupt", *ids)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, sorted(f"{each} interrupted" for each in ids))
    done = asker.run("interrupt", *ids)
    assert done.returncode == 4


def test_ended_session_of_another_machine_takes_no_message(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    session_id = sandbox.show("last")["id"]
    eventually(lambda: asker.show(session_id)["status"] == "completed", "the end in the record")
    done = asker.run("send", session_id, "Hello")
    assert (done.returncode, "has ended on" in done.stderr) == (4, True)


def test_unknown_reference_is_refused_as_without_a_fleet(asker: Sandbox) -> None:
    done = asker.run("interrupt", "abcdef")
    assert (done.returncode, done.stderr) == (3, "hldctl: No session 'abcdef'; `hldctl ls --all` lists all sessions.\n")
    done = asker.run("approve", "abcdef")
    assert (done.returncode, "No permission request 'abcdef'" in done.stderr) == (3, True)


def test_record_that_cannot_be_reached_is_named(asker: Sandbox, record: Record) -> None:
    record.server.stop()
    try:
        done = asker.run("interrupt", "abcdef")
        assert (done.returncode, "If it is of another machine: The fleet's record" in done.stderr) == (5, True)
    finally:
        record.server.start()


def test_secrets_do_not_travel_through_the_record(sandbox: Sandbox, asker: Sandbox, record: Record) -> None:
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    wait_until_recorded(asker, session_id)
    done = asker.run("continue", session_id, "Go", "--env", "KEY=secret")
    assert (done.returncode, "--env is not sent through the record" in done.stderr) == (2, True)
    assert record.rows("SELECT 1 FROM hldctl.intents") == []


def test_request_is_answered_while_its_session_is_followed(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script(ASKING)
    session_id = sandbox.launch("Go", "--approvals")
    request = pending_request(asker)
    with Terminal(asker, "tail", "-f", session_id) as terminal:
        terminal.wait_for_screen("echo approved")
        terminal.wait_for_screen("[y]es")
        terminal.enter("y\r")
        terminal.wait_for_screen("Done.")
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    (answered,) = json.loads(sandbox.ok("approvals", "--all", "--json"))
    assert (answered["id"], answered["status"]) == (request["id"], "approved")


def test_question_of_another_machine_is_asked_at_the_terminal(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script("ask Which one?\n  - Red: Warm\n  - Blue: Cold\n\nsay Done.")
    session_id = sandbox.launch("Go", "--approvals")
    request = pending_request(asker)
    with Terminal(asker, "answer", request["id"]) as terminal:
        terminal.wait_for_screen("Blue")
        terminal.enter("2\r")
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.wait_for_end(session_id)["status"] == "completed"


def test_top_answers_and_interrupts_sessions_of_other_machines(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script(f"{ASKING}\n\n[Wait]\n{GATED}")
    asking_id = sandbox.launch("Go", "--approvals")
    pending_request(asker)
    with Terminal(asker, "top", "--fleet", columns=140, lines=30) as terminal:
        terminal.wait_for_screen(asking_id[:8])
        terminal.enter("a")
        terminal.wait_for_screen("approve? y/n")
        terminal.enter("y")
        assert sandbox.wait_for_end(asking_id)["status"] == "completed"
        waiting_id = sandbox.launch("Wait", *TOOLS)
        terminal.wait_for_screen(waiting_id[:8])
        terminal.enter("i")
        terminal.wait_for_screen("interrupt")
        terminal.enter("y")
        assert sandbox.wait_for_end(waiting_id)["status"] == "interrupted"
        terminal.enter("q")


@pytest.mark.parametrize("words", [("interrupt", "{id}"), ("set", "{id}", "--title", "New"), ("ls",), ("show", "{id}")])
def test_commands_for_sessions_here_do_not_load_the_driver(asker: Sandbox, words: tuple[str, ...]) -> None:
    asker.serve_script(GATED)
    session_id = asker.launch("Go", *TOOLS)
    arguments = [word.format(id=session_id) for word in words]
    command = [sys.executable, "-X", "importtime", "-m", "hldctl", *arguments]
    done = subprocess.run(command, env=asker.environment, capture_output=True, text=True, check=True)
    loaded = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert "hldctl.store.database" in loaded
    assert [name for name in loaded if name.startswith(("psycopg.", "hldctl.fleet."))] == []
