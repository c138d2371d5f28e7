"""Private sessions: nothing of them is in the record of the fleet."""

from __future__ import annotations

import json
import os
import re

from tests.fleet.comparison import differences
from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox, eventually

TABLES = ("machines", "sessions", "events", "approvals", "changes", "intents")
SCRIPT = 'call Bash {"command": "echo secret > secret-file"}\n\nsay A secret.'
PRIVATE = ("--private", "--title", "secret-title", "--name", "secret-name", "--approvals", "--fail-on-denial")


def wait_until_all_is_sent(sandbox: Sandbox, record: Record) -> None:
    """Wait until the record has all of the feed."""
    (machine_id,) = sandbox.state.fleet.machine_id.read_text().split()
    query = "SELECT reached FROM hldctl.machines WHERE id = %s"

    def is_sent() -> bool:
        ((last,),) = sandbox.sql("SELECT seq FROM sqlite_sequence WHERE name = 'feed'")
        return sandbox.ok("ls", "-q", "--no-fleet") != "" and record.rows(query, machine_id) == [(last,)]

    eventually(is_sent, "all to be sent")


def recorded_text(record: Record) -> str:
    return str([record.rows(f"SELECT t::text FROM hldctl.{table} t") for table in TABLES])


def test_nothing_of_a_private_session_is_in_the_record(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script(SCRIPT)
    private = sandbox.launch("A secret question", *PRIVATE)
    eventually(lambda: json.loads(sandbox.ok("approvals", "--json")), "its request")
    (machine,) = eventually(lambda: json.loads(sandbox.ok("fleet", "--json")), "the machine in the record")
    assert machine["running"] == 0
    (request,) = json.loads(sandbox.ok("approvals", "--json"))
    lost = sandbox.launch("Open", "--after", private)
    sandbox.ok("deny", request["id"], "--message", "secret-reason")
    sandbox.wait_for_end(private)
    assert "secret-name" in sandbox.wait_for_end(lost)["error_message"]
    heir = sandbox.ok("continue", private, "Continue the secret", "--no-approvals").strip()
    sandbox.wait_for_end(heir)
    shared = sandbox.ok("continue", private, "Continue in the open", "--no-private", "--no-approvals").strip()
    sandbox.wait_for_end(shared)
    after = sandbox.launch("Open", "--after-any", f"{private},{shared}", "--wait", "-q") and sandbox.show("last")["id"]
    wait_until_all_is_sent(sandbox, record)
    for session_id, is_private in ((private, True), (heir, True), (shared, False), (after, False)):
        assert sandbox.show(session_id)["private"] is is_private
    sandbox.ok("rm", private)
    wait_until_all_is_sent(sandbox, record)
    assert sorted(row[0] for row in record.rows("SELECT id::text FROM hldctl.sessions")) == sorted(
        [lost, shared, after]
    )
    text = recorded_text(record)
    for hidden in (private, heir, request["id"], "secret-title", "secret-name", "secret-reason", "A secret question"):
        assert hidden not in text, hidden
    rows = [json.loads(row[0]) for row in record.rows('SELECT "row"::text FROM hldctl.sessions')]
    assert [row["parent_session_id"] for row in rows] == [None] * 3


def test_private_session_is_marked_here(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--private", "--wait")
    assert re.search(r"^private +(true|yes)$", sandbox.ok("show", "last"), re.MULTILINE)
    assert [each["private"] for each in json.loads(sandbox.ok("ls", "--json"))] == [True]
    wait_until_all_is_sent(sandbox, record)
    assert sandbox.ok("ls", "--fleet", "-q") == ""
    assert differences(record, sandbox)


def test_session_that_doctor_restores_stays_private(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--private", "--wait")
    session_id = sandbox.show("last")["id"]
    wait_until_all_is_sent(sandbox, record)
    eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
    for path in sandbox.state.root.glob("hldctl.db*"):
        path.unlink()
    # A younger one may be one of a launch that has not written its row yet.
    os.utime(sandbox.files(session_id).directory, (0, 0))
    sandbox.run("doctor", "--fix")
    assert sandbox.show(session_id)["private"]
    wait_until_all_is_sent(sandbox, record)
    assert session_id not in recorded_text(record)
