"""Lists that show the fleet unless they are asked not to."""

from __future__ import annotations

import json

import pytest

from tests.fleet.comparison import differences
from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.terminal import Terminal

GATED = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Done.'


@pytest.fixture
def lister(sandbox: Sandbox, other: Sandbox, record: Record) -> Sandbox:
    """A machine whose lists show the fleet; `sandbox` is another one."""
    sandbox.ok("fleet", "join", record.url)
    other.configure(f'[fleet]\nurl = "{record.url}"\nlisting = true\n')
    other.ok("fleet", "join", record.url)
    return other


def test_lists_show_the_fleet_by_default(sandbox: Sandbox, lister: Sandbox, record: Record) -> None:
    sandbox.serve_script('call Bash {"command": "echo one > file"}\n\nsay Done.')
    lister.serve_script("say Here.")
    session_id = sandbox.launch("Go", "--approvals")
    own = lister.launch("Go", "--wait", "-q") and lister.show("last")["id"]
    eventually(lambda: lister.run("approvals", "--json").stdout != "[]\n", "the request in the record")
    eventually(lambda: not differences(record, lister, sandbox), "the record to be equal")
    assert sorted(lister.ok("ls", "-q").split()) == sorted([session_id, own])
    assert lister.ok("ls", "--no-fleet", "-q").split() == [own]
    assert sandbox.ok("ls", "-q").split() == [session_id]
    (request,) = json.loads(lister.ok("approvals", "--json"))
    assert request["session_id"] == session_id
    assert json.loads(lister.ok("approvals", "--no-fleet", "--json")) == []
    assert json.loads(lister.ok("approvals", own, "--json")) == []
    done = lister.run("ls", "--no-fleet", "--machine", "build")
    assert (done.returncode, "--no-fleet lists this machine" in done.stderr) == (2, True)
    with Terminal(lister, "top", columns=140, lines=20) as terminal:
        terminal.wait_for_screen(session_id[:8])
    (sums,) = json.loads(lister.ok("stats", "--json"))
    assert sums["sessions"] == 1
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)


def test_lists_mention_private_sessions_of_this_machine(lister: Sandbox) -> None:
    lister.serve_script(GATED)
    session_id = lister.launch("Go", "--private", "--allowed-tools", "Bash")
    for command in ("ls", "approvals"):
        assert "without 1 private session of this machine; --no-fleet lists it" in lister.run(command).stderr
        assert "private" not in lister.run(command, "--no-fleet").stderr
    assert lister.ok("ls", "--no-fleet", "-q").split() == [session_id]
    lister.release()
    lister.wait_for_end(session_id)
    assert "private" not in lister.run("ls").stderr


def test_lists_show_this_machine_if_the_record_cannot_be_reached(lister: Sandbox, record: Record) -> None:
    lister.serve_script("say Done.")
    record.server.stop()
    try:
        lister.ok("launch", "Go", "--wait")
        session_id = lister.show("last")["id"]
        for command in ("ls", "approvals"):
            done = lister.run(command)
            assert done.returncode == 0
            assert "hldctl: only those of this machine: The fleet's record cannot be reached: " in done.stderr
        assert lister.ok("ls", "-q").split() == [session_id]
        assert lister.run("ls", "--fleet").returncode == 5
        assert "only those" not in lister.run("ls", "--no-fleet").stderr
    finally:
        record.server.start()


def test_tree_has_launched_sessions_of_other_machines(sandbox: Sandbox, lister: Sandbox, record: Record) -> None:
    sandbox.serve_script("say Done.")
    lister.serve_script("say Done.")
    launcher = sandbox.wait_for_end(sandbox.launch("launcher"))["id"]
    # As `launch -H` within it does.
    lister.wait_for_end(lister.launch("launched", environment={"HLDCTL_SESSION_ID": launcher}))
    eventually(lambda: not differences(record, lister, sandbox), "the record to be equal")
    header, *rows = lister.ok("ls", "--tree").splitlines()
    assert [row[header.index("TITLE") :] for row in rows] == ["launcher", "└▸ launched"]
    launched_by = {each["query"]: each["launched_by"] for each in json.loads(sandbox.ok("ls", "--fleet", "--json"))}
    assert launched_by == {"launcher": None, "launched": launcher}
