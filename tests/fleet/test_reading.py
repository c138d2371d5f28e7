"""Sessions of other machines, read as if they were here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.fleet.comparison import differences
from tests.helpers.postgres import Record
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually
from tests.helpers.terminal import Terminal

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
    # The last line says when it was exported.
    assert joined.ok("export", "parser").splitlines()[:-1] == sandbox.ok("export", "parser").splitlines()[:-1]
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
    assert waiting.communicate(timeout=TIMEOUT_SECONDS)[0] == "Done.\n"
    output, _ = follower.communicate(timeout=TIMEOUT_SECONDS)
    assert (follower.returncode, waiting.returncode) == (0, 0)
    assert output == sandbox.ok("tail", session_id)


def test_unknown_session_is_refused_also_in_a_fleet(joined: Sandbox) -> None:
    done = joined.run("show", "abcdef")
    assert (done.returncode, done.stderr) == (3, "hldctl: No session 'abcdef'; `hldctl ls --all` lists all sessions.\n")


def test_silent_machine_is_unheard_and_its_session_is_not_guessed_failed(
    sandbox: Sandbox, joined: Sandbox, record: Record
) -> None:
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    eventually(lambda: joined.run("show", session_id).returncode == 0, "the session in the record")
    sandbox.power_off()
    record.rows("UPDATE hldctl.machines SET seen_at = seen_at - interval '5 min'")
    line = joined.ok("ls", "--fleet").splitlines()[1]
    assert "(unheard for 5m)" in line
    assert "running" in line
    session = joined.show(session_id)
    assert (session["status"], session["machine"]["unheard_since"] is not None) == ("running", True)
    done = joined.run("wait", session_id, "--lost-after", "4m")
    assert (done.returncode, "may be lost" in done.stderr) == (5, True)
    done = joined.run("wait", session_id, "--lost-after", "1h", "--timeout", "1s")
    assert (done.returncode, "unheard for 5m" in done.stderr) == (7, True)
    row = joined.ok("fleet").splitlines()
    assert row[0].split() == ["MACHINE", "OWNER", "RUNNING", "ROOM", "HEARD", "BEHIND", "VERSION"]
    assert any("unheard 5m" in each for each in row[1:])
    # Both have the name of this host.
    machine_id = sandbox.state.fleet.machine_id.read_text()
    assert any(each.startswith(f"{os.uname().nodename}~{machine_id[:4]} ") for each in row[1:])


def test_requests_and_changes_of_all_machines_are_listed(sandbox: Sandbox, joined: Sandbox, record: Record) -> None:
    sandbox.serve_script('call Bash {"command": "echo one > file"}\n\nsay Done.')
    joined.serve_script("say Here.")
    session_id = sandbox.launch("Go", "--approvals")
    joined.ok("launch", "Go", "--wait")
    eventually(lambda: json.loads(joined.ok("approvals", "--fleet", "--json")), "the request in the record")
    (request,) = json.loads(joined.ok("approvals", "--fleet", "--json"))
    (here,) = json.loads(sandbox.ok("approvals", "--json"))
    assert {**request, "answered_from": None} == {**here, "answered_from": None}
    assert json.loads(joined.ok("approvals", session_id, "--json")) == [request]
    assert "echo one" in joined.ok("approvals", request["id"])
    sandbox.ok("approve", request["id"])
    sandbox.wait_for_end(session_id)
    wait_until_equal(record, sandbox, joined)
    assert json.loads(joined.ok("approvals", "--fleet", "--json")) == []
    changes = [json.loads(line) for line in joined.ok("events", "--fleet", "--json").splitlines()]
    ends = [each for each in changes if each["data"].get("new_status") == "completed"]
    assert len({each["machine"]["id"] for each in ends}) == 2
    own = [json.loads(line) for line in joined.ok("events", "--session", session_id, "--json").splitlines()]
    assert [each["id"] for each in own] == [each["id"] for each in changes if each["session_id"] == session_id]
    (sums,) = json.loads(joined.ok("stats", "--fleet", "--json"))
    assert sums["sessions"] == 2
    by_machine = json.loads(joined.ok("stats", "--fleet", "--by", "machine", "--json"))
    ids = [machine.state.fleet.machine_id.read_text()[:4] for machine in (sandbox, joined)]
    assert {(each["key"], each["sessions"]) for each in by_machine} == {
        (f"{os.uname().nodename}~{each}", 1) for each in ids
    }


def test_launch_joins_a_configured_fleet(sandbox: Sandbox, record: Record) -> None:
    sandbox.configure(f'[fleet]\nurl = "{record.url}"\n')
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    wait_until_equal(record, sandbox)


def test_machine_leaves_and_joins_again_as_the_same(sandbox: Sandbox, joined: Sandbox, record: Record) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    wait_until_equal(record, sandbox)
    sandbox.ok("fleet", "leave")
    eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
    assert sandbox.run("fleet").returncode == 5
    assert len(json.loads(joined.ok("fleet", "--json"))) == 1
    assert len(json.loads(joined.ok("ls", "--fleet", "--json"))) == 1
    sandbox.ok("launch", "Go", "--wait")
    sandbox.ok("fleet", "join", record.url)
    wait_until_equal(record, sandbox)
    assert len(json.loads(joined.ok("fleet", "--json"))) == 2


def test_doctor_reports_why_the_link_waits(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    assert "fleet: this machine has joined one" in sandbox.run("doctor").stdout
    record.rows("DELETE FROM hldctl.migrations")
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    eventually(sandbox.state.fleet.problem.exists, "the problem to be noted")
    assert "hldctl fleet init" in sandbox.run("doctor").stdout


def test_top_shows_the_sessions_of_all_machines_as_they_come(sandbox: Sandbox, joined: Sandbox, record: Record) -> None:
    sandbox.serve_script(GATED)
    first = sandbox.launch("first", *TOOLS)
    eventually(lambda: joined.run("show", first).returncode == 0, "the session in the record")
    with Terminal(joined, "top", "--fleet", columns=140, lines=20) as terminal:
        terminal.wait_for_screen(first[:8])
        second = sandbox.launch("second", *TOOLS)
        screen = terminal.wait_for_screen(second[:8])
        assert any("MACHINE" in line and "ACTIVITY" in line for line in screen)
        assert any(second[:8] in line and os.uname().nodename in line for line in screen)
        sandbox.release()
        eventually(lambda: not any(first[:8] in line for line in terminal.screen()), "it to leave the screen")
    assert {sandbox.wait_for_end(each)["status"] for each in (first, second)} == {"completed"}


def test_list_of_all_machines_is_watched(sandbox: Sandbox, joined: Sandbox) -> None:
    sandbox.serve_script(GATED)
    first = sandbox.launch("first", *TOOLS)
    eventually(lambda: joined.run("show", first).returncode == 0, "the session in the record")
    with Terminal(joined, "ls", "--fleet", "--watch", columns=140, lines=20) as terminal:
        terminal.wait_for_screen(first[:8])
        second = sandbox.launch("second", *TOOLS)
        terminal.wait_for_screen(second[:8])
        sandbox.release()
        terminal.wait_for_screen("completed")


def test_requests_of_all_machines_are_followed(sandbox: Sandbox, joined: Sandbox) -> None:
    script = 'call Bash {"command": "echo one > file"}\n\nsay Done.'
    ids = []
    for machine in (sandbox, joined):
        machine.serve_script(script)
        ids.append(machine.launch("Go", "--approvals"))
    eventually(lambda: len(json.loads(joined.ok("approvals", "--fleet", "--json"))) == 2, "both requests")
    follower = joined.popen("approvals", "-f", "--fleet", "--json")
    assert follower.stdout is not None
    pending = [json.loads(follower.stdout.readline()) for _ in ids]
    assert {request["session_id"] for request in pending} == {*ids}
    for machine in (sandbox, joined):
        (request,) = json.loads(machine.ok("approvals", "--json"))
        machine.ok("approve", request["id"])
    answered = [json.loads(follower.stdout.readline()) for _ in ids]
    assert [request["status"] for request in answered] == ["approved"] * 2
    assert {request["session_id"] for request in answered} == {*ids}
    third = sandbox.launch("Go", "--approvals")
    assert json.loads(follower.stdout.readline())["session_id"] == third
    follower.terminate()
    follower.communicate()


def test_sessions_of_several_machines_are_followed_together(
    sandbox: Sandbox, joined: Sandbox, record: Record, tmp_path: Path
) -> None:
    """Their changes have the same numbers, each machine's own."""
    reader = Sandbox(tmp_path / "reader")
    try:
        reader.ok("fleet", "join", record.url)
        ids = []
        for machine in (sandbox, joined):
            machine.serve_script('call Bash {"command": "echo one > file"}\n\nsay Done.')
            ids.append(machine.launch("Go", "--approvals"))
        eventually(lambda: len(json.loads(reader.ok("approvals", "--fleet", "--json"))) == 2, "both requests")
        follower = reader.popen("tail", "-f", *ids)
        for machine in (sandbox, joined):
            (request,) = json.loads(machine.ok("approvals", "--json"))
            machine.ok("deny", request["id"], "--message", "No.")
        output, _ = follower.communicate(timeout=TIMEOUT_SECONDS)
        for session_id in ids:
            assert [line for line in output.splitlines() if line.startswith(session_id[:8]) and "Done." in line]
            assert [line for line in output.splitlines() if line.startswith(session_id[:8]) and "denied" in line]
    finally:
        reader.close()
