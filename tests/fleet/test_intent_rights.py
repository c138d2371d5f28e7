"""What a machine does for others than its owner."""

from __future__ import annotations

import json

import pytest

from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox, eventually

GATED = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Done.'
ASKING = 'call Bash {"command": "echo approved > answer"}\n\nsay Done.'


@pytest.fixture
def anns(sandbox: Sandbox, shared: Record) -> Sandbox:
    """A machine of ann, whose sessions her team sees."""
    sandbox.ok("fleet", "join", f"{shared.url} user=ann")
    sandbox.ok("config", "set", "fleet.team", "web")
    return sandbox


def join(machine: Sandbox, record: Record, role: str) -> None:
    machine.ok("fleet", "join", f"{record.url} user={role}")


def wait_until_seen(machine: Sandbox, session_id: str) -> None:
    eventually(lambda: machine.run("show", session_id).returncode == 0, "the session in the record")


def test_machine_does_for_its_team_what_it_accepts(anns: Sandbox, other: Sandbox, shared: Record) -> None:
    join(other, shared, "tom")
    anns.serve_script(GATED)
    session_id = anns.launch("Go", "--allowed-tools", "Bash")
    wait_until_seen(other, session_id)

    def refusal(*words: str) -> str:
        done = other.run(*words)
        assert (done.returncode, done.stdout) == (4, ""), done.stderr
        return done.stderr

    assert "accepts nothing from tom" in refusal("interrupt", session_id)
    anns.ok("config", "set", "fleet.accept_from", '["web"]')
    assert "lacks 'send'" in refusal("send", session_id, "Hello")
    assert "lacks 'continue'" in refusal("continue", session_id, "Hello")
    assert "takes --permission-mode only from ann" in refusal("set", session_id, "--permission-mode", "plan")
    assert "takes --dangerously-skip-permissions only from ann" in refusal(
        "set", session_id, "--dangerously-skip-permissions"
    )
    other.ok("set", session_id, "--title", "Tom's")
    assert anns.show(session_id)["title"] == "Tom's"
    anns.ok("config", "set", "fleet.accept", '["answer"]')
    assert "lacks 'interrupt'" in refusal("interrupt", session_id)
    anns.ok("config", "set", "fleet.accept", '["interrupt"]')
    assert other.ok("interrupt", session_id) == f"{session_id} interrupted\n"


def test_teammate_approves_what_was_shown_and_nothing_else(anns: Sandbox, other: Sandbox, shared: Record) -> None:
    join(other, shared, "tom")
    anns.ok("config", "set", "fleet.accept_from", '["tom"]')
    anns.serve_script(ASKING)
    session_id = anns.launch("Go", "--approvals")
    wait_until_seen(other, session_id)
    (request,) = eventually(lambda: json.loads(other.ok("approvals", "--fleet", "--json")), "a request")
    done = other.run("approve", request["id"], "--input", '{"command": "echo other > answer"}')
    assert (done.returncode, "takes --input only from ann" in done.stderr) == (4, True)
    other.ok("approve", request["id"])
    assert anns.wait_for_end(session_id)["status"] == "completed"
    assert (anns.work / "answer").read_text() == "approved\n"
    (answered,) = json.loads(anns.ok("approvals", "--all", "--json"))
    assert (answered["answered_by"], answered["answered_from"]["asked_by"]) == ("tom", "tom")
    assert "tom (from another machine)" in anns.ok("approvals", "--all")


def test_role_outside_the_team_sees_nothing_to_ask_for(anns: Sandbox, other: Sandbox, shared: Record) -> None:
    join(other, shared, "eve")
    anns.ok("config", "set", "fleet.accept_from", '["eve"]')
    anns.serve_script(GATED)
    session_id = anns.launch("Go", "--allowed-tools", "Bash")
    eventually(lambda: shared.rows("SELECT 1 FROM hldctl.sessions"), "the session in the record")
    done = other.run("interrupt", session_id)
    assert (done.returncode, done.stderr) == (
        3,
        f"hldctl: No session '{session_id}'; `hldctl ls --all` lists all sessions.\n",
    )


def test_operator_sees_all_and_is_accepted_like_others(anns: Sandbox, other: Sandbox, shared: Record) -> None:
    join(other, shared, "op")
    anns.serve_script(GATED)
    session_id = anns.launch("Go", "--allowed-tools", "Bash")
    wait_until_seen(other, session_id)
    assert "accepts nothing from op" in other.run("interrupt", session_id).stderr
    anns.ok("config", "set", "fleet.accept_from", '["hldctl_operator"]')
    assert other.ok("interrupt", session_id) == f"{session_id} interrupted\n"


def test_costs_are_summed_by_owner(anns: Sandbox, other: Sandbox, shared: Record) -> None:
    join(other, shared, "tom")
    for machine, count in ((anns, 2), (other, 1)):
        machine.serve_script("say Done.")
        for _ in range(count):
            machine.ok("launch", "Go", "--wait")
    query = "SELECT count(*) FROM hldctl.sessions WHERE completed_at IS NOT NULL"
    eventually(lambda: shared.rows(query) == [(3,)], "the ends in the record")
    sums = json.loads(other.ok("stats", "--fleet", "--by", "owner", "--json"))
    assert {group["key"]: group["sessions"] for group in sums} == {"ann": 2, "tom": 1}
    (own,) = json.loads(other.ok("stats", "--by", "owner", "--json"))
    assert own["sessions"] == 1
