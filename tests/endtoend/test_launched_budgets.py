"""Sessions that launch sessions: they spend no more than the budget of their launcher, and use its group."""

from __future__ import annotations

import json

import psutil
import pytest

from tests.helpers.launching_sessions import STAY, run_within, script_of, serve, tool
from tests.helpers.sandbox import Json, Sandbox, eventually, kill_and_wait


def sessions(sandbox: Sandbox) -> dict[str, Json]:
    """Return the sessions by query."""
    return {each["query"]: each for each in json.loads(sandbox.ok("ls", "--json"))}


def test_launched_session_gets_at_most_what_is_left(sandbox: Sandbox) -> None:
    sandbox.configure("max_budget_usd = 90")
    commands = [
        "hldctl launch five -q --max-budget-usd 5 --keep-open",
        "hldctl launch six -q --max-budget-usd 6",
        "hldctl launch rest --keep-open",
        "hldctl launch nothing -q",
        "hldctl launch around -q -- --max-budget-usd 50",
    ]
    outer, found = run_within(sandbox, commands, "--max-budget-usd", "10", "--from-session")
    assert [code for code, _ in found] == [0, 4, 0, 4, 4], found
    assert "which launches this one, has $" in found[1][1]
    assert "left of its --max-budget-usd; ask for less" in found[1][1]
    assert "limited by the launching session: --max-budget-usd " in found[2][1]
    assert "after -- cannot be used" in found[4][1]
    made = sessions(sandbox)
    assert set(made) == {"outer", "five", "rest"}
    rest = made["rest"]["max_budget_usd"]
    assert 4.9 < rest < 5
    # Claude Code and the session's own file have the same limit.
    files = sandbox.files(made["rest"]["id"])
    assert json.loads(files.session_record.read_text())["max_budget_usd"] == rest
    (claude,) = sandbox.processes(lambda process: process.pid == made["rest"]["pid"])
    arguments = claude.cmdline()
    assert arguments[arguments.index("--max-budget-usd") + 1] == str(rest)
    # What an ended one has not spent is free again, also after it was deleted.
    sandbox.ok("close", made["five"]["id"], made["rest"]["id"])
    marked = {"HLDCTL_SESSION_ID": outer}
    sandbox.ok("launch", "again", "--max-budget-usd", "9.9", "--keep-open", environment=marked)
    assert sandbox.run("launch", "more", "--max-budget-usd", "1", environment=marked).returncode == 4
    sandbox.ok("interrupt", "--all")


def test_spending_of_deleted_sessions_counts(sandbox: Sandbox) -> None:
    outer, _ = run_within(sandbox, ["true"], "--max-budget-usd", "1")
    marked = {"HLDCTL_SESSION_ID": outer}
    child = sandbox.launch("child", "--max-budget-usd", "0.5", "--wait", "-q", environment=marked)
    assert child == "Done."
    child = sandbox.ok("ls", "-q", "--limit", "1").strip()
    sandbox.sql("UPDATE spending SET cost_usd = 0.4 WHERE session_id = ?", child)
    sandbox.ok("rm", child)
    refused = sandbox.run("launch", "more", "--max-budget-usd", "0.7", environment=marked)
    assert (refused.returncode, "has $0.5" in refused.stderr) == (4, True), refused.stderr
    sandbox.ok("launch", "less", "--max-budget-usd", "0.5", "--wait", environment=marked)


def test_launches_at_once_cannot_exceed_the_budget(sandbox: Sandbox) -> None:
    at_once = "for each in 1 2 3 4 5 6; do hldctl launch child$each -q --keep-open --max-budget-usd 0.4 & done; wait"
    outer, _ = run_within(sandbox, [at_once], "--max-budget-usd", "1")
    limits = [each["max_budget_usd"] for each in sessions(sandbox).values() if each["launched_by"] == outer]
    assert limits == [0.4, 0.4]
    sandbox.ok("interrupt", "--all")


def test_spent_budget_of_the_launcher_stops_all_that_share_it(sandbox: Sandbox) -> None:
    """Launcher and launched session spend at the same time, each less than its own limit."""
    spend = 'call Bash {"command": "sleep 600"}\nusage input=100k\n'
    begin = script_of(sandbox, "outer", "hldctl launch child -q --max-budget-usd 0.6", STAY.format("go-on"))
    wait = spend.replace("sleep 600", STAY.format("go-child"))
    less = spend.replace("100k", "10k")
    serve(sandbox, begin.replace("say Done.", f"{spend}\nsay Done."), f"[child]\n{wait}\n{less}\nsay Done.\n")
    tools = "Bash(sh outer.sh),Bash(sleep:*)"
    outer = sandbox.launch("outer", "--max-budget-usd", "0.9", "--allowed-tools", tools)
    eventually(lambda: "child" in sessions(sandbox), "the launch")
    child = sessions(sandbox)["child"]["id"]
    # The child has spent more than half of it.
    sandbox.wait_for_journal(child, "go-child")
    assert sandbox.show(child)["status"] == "running"
    sandbox.release()
    reason = "Stopped: the --max-budget-usd of this session, or of one that launched it, is spent."
    for session_id in (outer, child):
        ended = sandbox.wait_for_end(session_id)
        assert (ended["status"], ended["end_reason"], ended["error_message"]) == ("failed", "budget", reason)
        (sandbox.work / "go-child").touch()


def test_limit_holds_if_its_supervisor_is_killed_while_it_is_lowered(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    serve(sandbox, script_of(sandbox, "outer", "hldctl launch child -q --keep-open", STAY.format("go-on")))
    sandbox.launch("outer", "--max-budget-usd", "5", *tool("outer"))
    child = eventually(lambda: sessions(sandbox).get("child"), "the launch") or {}
    assert child["status"] == "queued"
    kill_and_wait(psutil.Process(child["supervisor_pid"]))
    # As it is before the limit is saved with it.
    file = sandbox.files(child["id"]).request
    request = json.loads(file.read_text())
    request["settings"]["max_budget_usd"] = None
    file.write_text(json.dumps(request))
    sandbox.release()
    eventually(lambda: sandbox.show(child["id"])["status"] == "idle", "its answer")
    arguments = psutil.Process(sandbox.show(child["id"])["pid"]).cmdline()
    assert arguments[arguments.index("--max-budget-usd") + 1] == str(child["max_budget_usd"])
    sandbox.ok("close", child["id"])


def test_group_is_handed_on_and_the_launcher_shares_its_slot(sandbox: Sandbox) -> None:
    sandbox.configure("[groups]\nnightly = 1\nother = 1")
    commands = ["hldctl launch inner --wait -q", "hldctl launch apart --wait -q --group other"]
    _, found = run_within(sandbox, commands, "--group", "nightly")
    assert found == [(0, "Done."), (0, "Done.")]
    groups = {query: each["group_name"] for query, each in sessions(sandbox).items()}
    assert groups == {"outer": "nightly", "inner": "nightly", "apart": "other"}


@pytest.mark.parametrize("budget", ["0", "0.000001"])
def test_launcher_without_budget_launches_none(sandbox: Sandbox, budget: str) -> None:
    sandbox.serve_script("say Done.")
    outer = sandbox.launch("outer", "--max-budget-usd", budget)
    sandbox.wait_for_end(outer)
    refused = sandbox.run("launch", "inner", environment={"HLDCTL_SESSION_ID": outer})
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1)
