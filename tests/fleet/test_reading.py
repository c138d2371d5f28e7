"""Sessions of other machines, read as if they were here."""

from __future__ import annotations

import json

import pytest

from tests.fleet.comparison import differences
from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox, eventually

WORK = 'call Bash {"command": "echo one"}\n\nsay Done.'
GATED = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Done.'
TOOLS = ("--allowed-tools", "Bash")


@pytest.fixture
def joined(sandbox: Sandbox, other: Sandbox, record: Record) -> Sandbox:
    """The machine that reads; `sandbox` is the one whose sessions it reads."""
    for machine in (sandbox, other):
        machine.ok("fleet", "join", record.url)
    return other


def wait_until_equal(record: Record, *machines: Sandbox) -> None:
    eventually(lambda: not differences(record, *machines), "the record to be equal")


def test_ended_session_of_another_machine_is_shown(sandbox: Sandbox, joined: Sandbox, record: Record) -> None:
    sandbox.serve_script(WORK)
    sandbox.launch("Go", "--name", "parser", "--wait", *TOOLS)
    session_id = sandbox.show("last")["id"]
    wait_until_equal(record, sandbox)
    here, there = sandbox.show(session_id), joined.show(session_id[:8])
    machine = there.pop("machine")
    assert machine["id"] == sandbox.state.fleet.machine_id.read_text().strip()
    assert {name: (here[name], there[name]) for name in there if here[name] != there[name]} == {}
    assert joined.events("parser") == sandbox.events("parser")
    assert joined.ok("tail", "parser") == sandbox.ok("tail", "parser")
    assert joined.ok("export", "parser") == sandbox.ok("export", "parser")
    assert joined.run("wait", session_id, "--results").stdout == "Done.\n"
    (listed,) = json.loads(joined.ok("ls", "--fleet", "--json"))
    assert (listed["id"], listed["result_content"], listed["machine"]) == (session_id, "Done.", machine)
    assert json.loads(joined.ok("ls", "--json")) == []
    assert session_id[:8] in joined.ok("ls", "--owner", "hldctl", "--search", "Go")
    assert joined.ok("ls", "-q", "--machine", machine["id"][:8]).split() == [session_id]
    assert not list(joined.state.fleet.replicas.iterdir())


def test_running_session_of_another_machine_is_followed(sandbox: Sandbox, joined: Sandbox, record: Record) -> None:
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    eventually(lambda: joined.run("show", session_id).returncode == 0, "the session in the record")
    follower = joined.popen("tail", "-f", "--exit-status", session_id)
    waiting = joined.popen("wait", session_id, "--results")
    sandbox.release()
    assert waiting.communicate(timeout=30)[0] == "Done.\n"
    output, _ = follower.communicate(timeout=30)
    assert (follower.returncode, waiting.returncode) == (0, 0)
    assert output == sandbox.ok("tail", session_id)


def test_unknown_session_is_refused_also_in_a_fleet(joined: Sandbox) -> None:
    done = joined.run("show", "abcdef")
    assert (done.returncode, done.stderr) == (3, "hldctl: No session 'abcdef'; `hldctl ls --all` lists all sessions.\n")
