"""Budgets: launches wait or are refused, crashed runs count, and the user hears of it once."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import psutil
import pytest

from hldctl.user_commands import send
from tests.helpers.kill_at import crash_at
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually, kill, kill_and_wait
from tests.helpers.statuses import ALLOW_BASH, statuses, wait_for_status

# Its result costs as many dollars as the query says. With a name, it waits for a file of that name first.
SPENDER = """
dollars, *gate = json.loads(sys.stdin.readline())["message"]["content"].split()
print(json.dumps({"type": "system", "subtype": "init", "session_id": "s", "model": "claude-opus-5-5"}), flush=True)
while gate and not os.path.exists(gate[0]):
    time.sleep(0.05)
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok", "num_turns": 1,
    "total_cost_usd": float(dollars)}))
"""


def spend(sandbox: Sandbox, query: str, *options: str) -> str:
    return sandbox.ok("launch", "-q", query, *options).strip()


def activity(sandbox: Sandbox, session_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each["activity"] for each in json.loads(sandbox.ok("ls", "--json")) if each["id"] == session_id
    )
    return found


def budgets(sandbox: Sandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(sandbox.ok("stats", "--budgets", "--json"))
    return found


def spending(sandbox: Sandbox) -> list[tuple[Any, ...]]:
    return sandbox.sql("SELECT * FROM spending ORDER BY session_id, position, spent_at")


def test_launch_waits_for_the_budget_and_says_so(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\ndaily_usd = 10")
    sandbox.fake_claude(SPENDER)
    first = spend(sandbox, "1 go-on", "--max-budget-usd", "9")
    done = sandbox.run("launch", "2", "--max-budget-usd", "5")
    assert "hldctl: queued: waiting for budget: daily $10 is spent or reserved until 00:00\n" in done.stderr
    second = done.stdout.strip()
    doing = activity(sandbox, second)
    assert (doing["waiting_for"], doing["budget"]["limit_usd"]) == ("budget", 10.0)
    assert "daily $10 is spent or reserved until 00:00" in sandbox.ok("show", second)
    (budget,) = budgets(sandbox)
    assert (budget["spent_usd"], budget["reserved_usd"], budget["rest_usd"]) == (0.0, 9.0, 1.0)
    sandbox.release()
    # The first one has spent less than it might have.
    assert sandbox.wait_for_end(first)["cost_usd"] == 1.0
    assert sandbox.wait_for_end(second)["cost_usd"] == 2.0
    (budget,) = budgets(sandbox)
    assert (budget["spent_usd"], budget["reserved_usd"], budget["rest_usd"]) == (3.0, 0.0, 7.0)


def test_launch_is_refused_if_it_may_not_wait(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\ndaily_usd = 10\n[groups.nightly]\ndaily_usd = 1")
    sandbox.fake_claude(SPENDER)
    first = spend(sandbox, "1", "--group", "nightly", "--wait")
    done = sandbox.run("launch", "1", "--group", "nightly", "--if-over-budget", "fail")
    assert (done.returncode, done.stdout, first) == (4, "", "ok")
    assert done.stderr.startswith("hldctl: The budget daily $1 of group nightly is spent until ")
    assert sandbox.ok("ls", "-q").count("\n") == 1
    # It does not concern sessions of no group.
    assert spend(sandbox, "1", "--if-over-budget", "fail", "--wait") == "ok"


def test_session_that_may_spend_more_than_a_budget_is_refused(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\nweekly_usd = 10\ndaily_usd = 3")
    done = sandbox.run("launch", "1", "--max-budget-usd", "4")
    assert (done.returncode, "budgets.daily_usd = 3" in done.stderr) == (2, True)
    assert not sandbox.state.sessions.exists()


def test_launches_at_once_do_not_pass_the_limit(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\ndaily_usd = 3.5")
    sandbox.fake_claude(SPENDER)
    launching = [sandbox.popen("launch", "1 go-on", "--max-budget-usd", "1") for _ in range(8)]
    for process in launching:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert sorted(statuses(sandbox).values()) == ["queued"] * 5 + ["running"] * 3
    sandbox.release()
    eventually(lambda: sorted(statuses(sandbox).values()) == ["completed"] * 3 + ["queued"] * 5, "the rest to wait")
    (budget,) = budgets(sandbox)
    assert (budget["spent_usd"], budget["rest_usd"]) == (3.0, 0.5)


def test_crashed_run_counts_with_an_estimate(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\ndaily_usd = 10")
    sandbox.serve_script(f"usage input=100k\n{GATED_SCRIPT}")
    session_id = sandbox.launch("Go", *ALLOW_BASH)
    sandbox.wait_for_journal(session_id, "go-on")
    kill_and_wait(psutil.Process(sandbox.show(session_id)["pid"]))
    assert sandbox.wait_for_end(session_id)["cost_usd"] is None
    (budget,) = budgets(sandbox)
    assert 0.4 < budget["spent_usd"] == budget["estimated_usd"] < 1.0
    assert "~$0." in sandbox.ok("stats", "--budgets")


def test_deletion_frees_no_budget(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\nmonthly_usd = 1")
    sandbox.fake_claude(SPENDER)
    spend(sandbox, "1", "--wait")
    sandbox.ok("rm", "last")
    assert sandbox.run("launch", "1", "--if-over-budget", "fail").returncode == 4


@pytest.mark.parametrize("loss", ["events", "database", "damage"])
def test_rebuilt_database_has_the_same_ledger(sandbox: Sandbox, loss: str) -> None:
    sandbox.configure("[budgets]\ndaily_usd = 100")
    sandbox.fake_claude(SPENDER)
    for query in ("1", "2"):
        spend(sandbox, query, "--wait")
    if loss == "damage":
        # Only the database knows what a deleted session has spent.
        spend(sandbox, "4", "--wait")
        sandbox.ok("rm", "last")
    before = spending(sandbox)
    kill(sandbox.guards())
    match loss:
        case "events":
            sandbox.sql("DELETE FROM conversation_events WHERE sequence > 1 OR rowid = 1")
        case "database":
            for path in sandbox.state.root.glob("hldctl.db*"):
                path.unlink()
            for directory in sandbox.state.sessions.iterdir():
                # Otherwise it may be one that is being launched.
                os.utime(directory, (0, 0))
        case "damage":
            sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
            sandbox.sql("UPDATE sessions SET status = 'nonsense'")
    assert "fixed" in sandbox.run("doctor", "--fix").stdout
    assert spending(sandbox) == before


def midnight_in(seconds: int) -> str:
    """Return a time zone in which it is midnight in this many seconds."""
    west = (int(time.time()) + seconds) % 86_400
    return f"TST+{west // 3600}:{west % 3600 // 60:02}:{west % 60:02}"


def test_spent_budget_is_full_again_after_midnight(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\ndaily_usd = 1")
    sandbox.fake_claude(SPENDER)
    # Enough for a slow machine to get there.
    sandbox.environment["TZ"] = midnight_in(25)
    spend(sandbox, "1", "--wait")
    waiting = spend(sandbox, "0.5")
    assert activity(sandbox, waiting)["budget"]["is_spent"]
    assert sandbox.wait_for_end(waiting)["cost_usd"] == 0.5


ON_BUDGET = "cat >> $HOME/told; echo $HLDCTL_BUDGET $HLDCTL_PERCENT >> $HOME/variables"


def alerts(sandbox: Sandbox) -> list[dict[str, Any]]:
    file = sandbox.home / "told"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_command_runs_once_at_80_and_at_100_percent(sandbox: Sandbox) -> None:
    sandbox.configure(f"[budgets]\ndaily_usd = 10\nmonthly_usd = 100\non_budget = '{ON_BUDGET}'")
    sandbox.fake_claude(SPENDER)
    spend(sandbox, "7.5", "--wait")
    assert alerts(sandbox) == []
    spend(sandbox, "0.5", "--wait")
    (alert,) = eventually(lambda: alerts(sandbox), "the command")
    assert (alert.pop("since")[-14:], alert.pop("until")[-14:]) == ("T00:00:00.000Z",) * 2
    assert alert == {
        "budget": "budgets.daily_usd",
        "group": None,
        "period": "daily",
        "percent": 80,
        "spent_usd": 8.0,
        "limit_usd": 10.0,
        "rehearsed": False,
    }
    for query in ("1", "1"):
        spend(sandbox, query, "--wait", "--max-budget-usd", "1")
    eventually(lambda: len(alerts(sandbox)) == 2, "the second command")
    assert (sandbox.home / "variables").read_text().split() == [
        *("budgets.daily_usd", "80"),
        *("budgets.daily_usd", "100"),
    ]


@pytest.mark.parametrize("step", ["record_due:return", "alert_object:return", "mark_done:call"])
def test_command_runs_once_although_a_supervisor_is_killed(sandbox: Sandbox, step: str) -> None:
    sandbox.configure(f"[budgets]\ndaily_usd = 1\non_budget = '{ON_BUDGET}'")
    sandbox.fake_claude(SPENDER)
    crash_at(sandbox, step)
    sandbox.run("launch", "1", "--wait")
    eventually(lambda: len(alerts(sandbox)) == 2, "both commands")
    eventually(lambda: not sandbox.processes(), "all to leave")
    assert sorted(alert["percent"] for alert in alerts(sandbox)) == [80, 100]
    assert (sandbox.root / "killed").exists(), "the step was never reached"


def test_presets_describe_a_budget() -> None:
    alert = {"budget": "budgets.daily_usd", "percent": 80, "spent_usd": 8.0, "limit_usd": 10.0, "until": "tomorrow"}
    assert send.subject(alert) == "hldctl: 80 % of budgets.daily_usd spent: $8.00 of $10.00"
    assert send.body(alert) == "The period ends at tomorrow.\nhldctl stats --budgets\n"


def test_rehearsals_have_a_budget_of_their_own(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\ndaily_usd = 1")
    script = sandbox.work / "script"
    script.write_text("usage input=500k\nsay Done.")
    sandbox.ok("launch", "Go", "--rehearse", script, "--wait")
    real, rehearsed = budgets(sandbox)
    assert (real["spent_usd"], rehearsed["rehearsed"], rehearsed["spent_usd"] > 1) == (0.0, True, True)
    again = ("launch", "Go", "--if-over-budget", "fail")
    assert sandbox.run(*again, "--rehearse", script).returncode == 4
    sandbox.fake_claude(SPENDER)
    assert sandbox.run(*again[:1], "1", *again[2:], "--wait").stdout == "ok\n"


def test_budget_that_is_raised_lets_the_next_session_start(sandbox: Sandbox) -> None:
    sandbox.configure("[budgets]\ndaily_usd = 1")
    sandbox.fake_claude(SPENDER)
    spend(sandbox, "1", "--wait")
    first = spend(sandbox, "1")
    sandbox.ok("config", "set", "budgets.daily_usd", "9")
    # The next end in this state directory wakes it; without one, it looks once a minute.
    spend(sandbox, "1", "--wait")
    wait_for_status(sandbox, first, "completed")
