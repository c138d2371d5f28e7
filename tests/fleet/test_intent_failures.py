"""Intents when something fails: machines away, processes killed, rows that were changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fleet.test_intents import ASKING, GATED, TOOLS, asker, pending_request, wait_until_recorded
from tests.helpers.postgres import Record
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, kill

__all__ = ["asker"]

INTENT = "SELECT taken_at IS NOT NULL, done_at IS NOT NULL FROM hldctl.intents"


def links(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes_with_argument("hldctl.fleet.link")


def performers(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes_with_argument("_perform")


def forge(record: Record, sandbox: Sandbox, target: str, **changes: Any) -> dict[str, Any]:
    """Write an intent as the owner of the database could, and return its outcome."""
    request = str(uuid.uuid4())
    intent = {
        "request": request,
        "machine_id": sandbox.state.fleet.machine_id.read_text().strip(),
        "session_id": target,
        "kind": "interrupt",
        "asked_by": "hldctl",
        "words": ["interrupt", target],
        "expires_at": None,
        "files": [],
        "standard_input": None,
        "shown": {},
        "from_session": None,
        **changes,
    }
    record.rows(
        "INSERT INTO hldctl.intents (request, machine_id, session_id, kind, arguments) VALUES (%s, %s, %s, %s, %s)",
        *(request, sandbox.state.fleet.machine_id.read_text().strip(), target),
        *(changes.get("column", intent["kind"]), json.dumps({k: v for k, v in intent.items() if k != "column"})),
    )
    query = "SELECT outcome FROM hldctl.intents WHERE request = %s AND done_at IS NOT NULL"
    ((outcome,),) = eventually(lambda: record.rows(query, request), "the outcome")
    result: dict[str, Any] = json.loads(outcome)
    return result


def test_intent_for_a_machine_at_rest_waits_for_its_next_session(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    eventually(lambda: not links(sandbox), "the link to end")
    asking = asker.popen("set", session_id, "--title", "Later")
    assert asking.stderr is not None
    assert "nothing runs on" in asking.stderr.readline()
    assert sandbox.show(session_id)["title"] != "Later"
    sandbox.ok("launch", "Go", "--wait")
    assert asking.wait(TIMEOUT_SECONDS) == 0
    asking.communicate()
    assert sandbox.show(session_id)["title"] == "Later"


def test_intent_is_withdrawn_by_ctrl_c(sandbox: Sandbox, asker: Sandbox, record: Record) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    eventually(lambda: not links(sandbox), "the link to end")
    asking = asker.popen("set", session_id, "--title", "Never")
    eventually(lambda: record.rows(INTENT), "the intent")
    assert asking.stderr is not None
    asking.stderr.readline()
    asking.send_signal(signal.SIGINT)
    _, errors = asking.communicate(timeout=TIMEOUT_SECONDS)
    assert (asking.returncode, "withdrawn" in errors) == (130, True)
    sandbox.ok("launch", "Go", "--wait")
    eventually(lambda: not links(sandbox), "the link to end")
    assert sandbox.show(session_id)["title"] != "Never"
    assert record.rows(INTENT) == [(False, False)]


def test_intent_expires(sandbox: Sandbox, asker: Sandbox, record: Record) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_end(session_id)
    eventually(lambda: not links(sandbox), "the link to end")
    asking = asker.popen("set", session_id, "--title", "Never")
    eventually(lambda: record.rows(INTENT), "the intent")
    record.rows("UPDATE hldctl.intents SET expires_at = clock_timestamp()")
    _, errors = asking.communicate(timeout=TIMEOUT_SECONDS)
    assert (asking.returncode, "did not take the command in time" in errors) == (5, True)


@pytest.mark.parametrize("victims", ["link", "performer", "both"])
def test_message_is_sent_once_whatever_is_killed(sandbox: Sandbox, asker: Sandbox, victims: str) -> None:
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    wait_until_recorded(asker, session_id)
    asking = asker.popen("send", session_id, "Hello", "--wait")
    # The message waits for the end of the tool call.
    eventually(lambda: sandbox.sql("SELECT 1 FROM messages WHERE text = 'Hello'"), "the message to be recorded")
    if victims != "link":
        kill([child for each in performers(sandbox) for child in [each, *each.children()]])
    if victims != "performer":
        kill(links(sandbox))
        sandbox.ok("ls")
    eventually(lambda: links(sandbox), "a link")
    sandbox.release()
    output, errors = asking.communicate(timeout=TIMEOUT_SECONDS)
    assert (asking.returncode, output) == (0, "Done.\n"), errors
    assert sandbox.sql("SELECT count(*) FROM messages WHERE text = 'Hello'") == [(1,)]


def test_changed_input_in_the_record_cannot_be_approved(sandbox: Sandbox, asker: Sandbox, record: Record) -> None:
    sandbox.serve_script(ASKING)
    session_id = sandbox.launch("Go", "--approvals")
    request = pending_request(asker)
    harmless = json.dumps({"command": "echo harmless"})
    changed = "jsonb_set(\"row\"::jsonb, '{tool_input}', to_jsonb(%s::text))::json"
    record.rows(f'UPDATE hldctl.approvals SET "row" = {changed}', harmless)
    assert "harmless" in asker.ok("approvals", "--fleet")
    done = asker.run("approve", request["id"])
    assert (done.returncode, "is not in the record" in done.stderr) == (5, True), done.stderr
    # With the hash changed, too, only the machine can see it.
    record.rows("UPDATE hldctl.approvals SET input_sha256 = %s", hashlib.sha256(harmless.encode()).hexdigest())
    done = asker.run("approve", request["id"])
    assert (done.returncode, "not for the input that was shown" in done.stderr) == (4, True), done.stderr
    assert sandbox.show(session_id)["status"] == "waiting_input"
    assert not (sandbox.work / "answer").exists()


def test_request_whose_input_is_not_shared_cannot_be_approved(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.ok("config", "set", "fleet.share", "outline")
    sandbox.serve_script(ASKING)
    sandbox.ok("launch", "Go", "--approvals")
    request = pending_request(asker)
    done = asker.run("approve", request["id"])
    assert (done.returncode, "is not in the record" in done.stderr) == (5, True)
    assert sandbox.sql("SELECT status FROM approvals") == [("pending",)]


def test_forged_intents_are_refused(sandbox: Sandbox, asker: Sandbox, record: Record) -> None:
    sandbox.serve_script(GATED)
    session_id, other_id = (sandbox.launch("Go", *TOOLS) for _ in range(2))
    wait_until_recorded(asker, other_id)

    def refusal(**changes: Any) -> str:
        outcome = forge(record, sandbox, session_id, **changes)
        assert outcome["exit_code"] in (3, 4), outcome
        return str(outcome["stderr"])

    assert "another session" in refusal(words=["interrupt", other_id])
    assert "another session" in refusal(words=["interrupt", session_id, other_id])
    assert "has to name" in refusal(words=["interrupt", "--all"])
    assert "does not take this command" in refusal(words=["interrupt", "-H", "elsewhere", session_id])
    assert "does not take this command" in refusal(words=["rm", "--force", session_id])
    assert "differ" in refusal(session_id=other_id)
    assert "differ" in refusal(asked_by="somebody")
    assert "differ" in refusal(column="close")
    assert "does not know 'rm'; update it there" in refusal(kind="rm", words=["rm", session_id])
    assert "cannot be read here" in refusal(future=True)
    assert "No permission request" in refusal(kind="approve", words=["approve", session_id])
    assert [sandbox.show(each)["status"] for each in (session_id, other_id)] == ["running", "running"]
    outcome = forge(record, sandbox, session_id)
    assert (outcome["exit_code"], outcome["stdout"]) == (0, f"{session_id} interrupted\n")


def test_session_cannot_answer_its_request_through_the_record(sandbox: Sandbox, asker: Sandbox) -> None:
    sandbox.serve_script(ASKING)
    sandbox.ok("launch", "Go", "--approvals")
    request = pending_request(asker)
    asker.serve_script(f'call Bash {{"command": "hldctl approve {request["id"]} 2>&1"}}\n\nsay Done.')
    asker.ok("launch", "Go", "--wait", "--allowed-tools", "Bash")
    assert "not allowed from within session" in asker.ok("tail", "last")
    assert sandbox.sql("SELECT status FROM approvals") == [("pending",)]


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """Two ssh keys; the first one is in `allowed_signers` beside them."""
    made = (tmp_path / "first", tmp_path / "second")
    for key in made:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind, text, *_ = made[0].with_suffix(".pub").read_text().split()
    (tmp_path / "allowed_signers").write_text(f"hldctl {kind} {text}\n")
    return made


def test_only_signed_intents_are_carried_out(
    sandbox: Sandbox, asker: Sandbox, record: Record, keys: tuple[Path, Path]
) -> None:
    sandbox.ok("config", "set", "fleet.signers", str(keys[0].parent / "allowed_signers"))
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    wait_until_recorded(asker, session_id)
    done = asker.run("set", session_id, "--title", "Unsigned")
    assert (done.returncode, "only what is signed" in done.stderr) == (4, True)
    asker.ok("config", "set", "fleet.signing_key", str(keys[1]))
    done = asker.run("set", session_id, "--title", "Wrong")
    assert (done.returncode, "is not one that" in done.stderr) == (4, True)
    asker.ok("config", "set", "fleet.signing_key", str(keys[0]))
    asker.ok("set", session_id, "--title", "Signed")
    assert sandbox.show(session_id)["title"] == "Signed"
    # The owner of the database repeats it, and changes it.
    sandbox.ok("set", session_id, "--title", "Mine")
    record.rows("UPDATE hldctl.intents SET done_at = NULL, outcome = NULL WHERE signature IS NOT NULL")
    eventually(lambda: not record.rows("SELECT 1 FROM hldctl.intents WHERE done_at IS NULL"), "the outcomes")
    assert sandbox.show(session_id)["title"] == "Mine"
    query = "SELECT arguments, signature FROM hldctl.intents WHERE signature IS NOT NULL ORDER BY id DESC LIMIT 1"
    ((text, signature),) = record.rows(query)
    request = str(uuid.uuid4())
    changed = json.loads(text) | {"request": request}
    record.rows(
        "INSERT INTO hldctl.intents (request, machine_id, session_id, kind, arguments, signature)"
        " VALUES (%s, %s, %s, 'set', %s, %s)",
        *(request, changed["machine_id"], session_id, json.dumps(changed), signature),
    )
    query = "SELECT outcome FROM hldctl.intents WHERE request = %s AND done_at IS NOT NULL"
    ((outcome,),) = eventually(lambda: record.rows(query, request), "the outcome")
    assert json.loads(outcome)["exit_code"] == 4
    assert sandbox.show(session_id)["title"] == "Mine"


def test_missing_key_is_named_before_anything_is_asked(
    sandbox: Sandbox, asker: Sandbox, record: Record, tmp_path: Path
) -> None:
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    wait_until_recorded(asker, session_id)
    asker.ok("config", "set", "fleet.signing_key", str(tmp_path / "none"))
    done = asker.run("set", session_id, "--title", "Signed")
    assert (done.returncode, "cannot be signed with" in done.stderr) == (5, True), done.stderr
    assert record.rows("SELECT 1 FROM hldctl.intents") == []
    assert shutil.which("ssh-keygen")
