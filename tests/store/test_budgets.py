"""Budgets in the transaction of admission: what is spent and reserved never exceeds a limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hldctl.paths import StateDirectory
from hldctl.states import EndReason, IfOverBudget, IfRunning, Status, WaitReason
from hldctl.store import sessions
from hldctl.store.admission import scheduler
from hldctl.store.admission.rules import Rules
from hldctl.store.budgets import alerts, ledger
from hldctl.store.budgets.limits import Budgets, Limit
from hldctl.store.connection import execute
from hldctl.store.database import open_database
from hldctl.store.sessions import Ending
from hldctl.system.clock import current_time_ms
from hldctl.system.periods import Period, span_of
from tests.helpers.budget_race import new_session, spend

DONE = Ending(Status.COMPLETED, EndReason.SUCCESS)
DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def database(tmp_path: Path) -> Iterator[None]:
    with open_database(StateDirectory(tmp_path)):
        yield


def rules(total_usd: float | None, reserve_usd: float = 1.0, **groups: float) -> Rules:
    limits = [] if total_usd is None else [Limit(None, Period.DAILY, total_usd)]
    limits += [Limit(group, Period.DAILY, usd) for group, usd in groups.items()]
    return Rules(budgets=Budgets(tuple(limits), reserve_usd))


def launch(limits: Rules, **columns: Any) -> tuple[str, WaitReason | None]:
    new = new_session(**columns)
    return new.row["id"], scheduler.admit(new, IfRunning.FAIL, limits).waiting_for


def launches(limits: Rules, count: int, **columns: Any) -> list[WaitReason | None]:
    return [launch(limits, **columns)[1] for _ in range(count)]


def end(session_id: str, cost_usd: float) -> None:
    spend(session_id, cost_usd)
    sessions.end(session_id, DONE, current_time_ms())


def test_sessions_without_a_limit_of_their_own_take_the_reserve() -> None:
    assert launches(rules(3.0), 5) == [None, None, None, "budget", "budget"]


def test_sessions_with_a_limit_take_what_they_may_still_spend() -> None:
    day = rules(3.0)
    first, _ = launch(day, max_budget_usd=2.0)
    assert launch(day, max_budget_usd=1.5)[1] == "budget"
    spend(first, 1.5)
    # The amounts spent and left of the first session together are the same.
    assert scheduler.startable_ids(day) == []
    sessions.end(first, DONE, current_time_ms())
    assert len(scheduler.startable_ids(day)) == 1


def test_reserve_larger_than_a_budget_takes_the_whole_budget() -> None:
    assert launches(rules(0.5, reserve_usd=2.0), 2) == [None, "budget"]


def test_group_has_its_own_budget_within_the_total() -> None:
    day = rules(3.0, nightly=1.0)
    assert launches(day, 2, group_name="nightly") == [None, "budget"]
    # A session that waits for the budget of its group does not hold up others.
    assert launches(day, 3) == [None, None, "budget"]
    assert launches(day, 1, group_name="other") == ["budget"]


def test_cheaper_session_does_not_overtake_in_the_same_budget() -> None:
    day = rules(3.0)
    first, _ = launch(day, max_budget_usd=2.0)
    expensive, _ = launch(day, max_budget_usd=2.5)
    cheap, reason = launch(day, max_budget_usd=0.5)
    assert reason == "budget"
    end(first, 0.2)
    assert scheduler.startable_ids(day) == [expensive]
    sessions.end(expensive, DONE, current_time_ms())
    assert scheduler.startable_ids(day) == [cheap]


def test_row_says_which_budget_and_until_when() -> None:
    day = rules(1.0)
    session_id, _ = launch(day)
    waiting, _ = launch(day)
    until = span_of(Period.DAILY, current_time_ms()).until
    expected = {"group": None, "period": "daily", "limit_usd": 1.0, "is_spent": False, "until": until}
    assert getattr(sessions.get(waiting), "waiting_budget", None) == expected
    end(session_id, 1.0)
    assert not scheduler.try_start(waiting, day, current_time_ms())
    assert getattr(sessions.get(waiting), "waiting_budget", None) == expected | {"is_spent": True}
    assert scheduler.try_start(waiting, rules(5.0), current_time_ms())
    assert getattr(sessions.get(waiting), "waiting_budget", 0) is None


def test_launch_that_may_not_wait_leaves_nothing() -> None:
    day = rules(1.0)
    launch(day)
    with pytest.raises(scheduler.OverBudget):
        scheduler.admit(new_session(), IfRunning.FAIL, day, IfOverBudget.FAIL)
    assert sessions.count() == 1


def test_spent_budget_allows_nothing_until_its_period_ends() -> None:
    day, now = rules(1.0), current_time_ms()
    session_id, _ = launch(day)
    end(session_id, 1.0)
    assert launch(day, max_budget_usd=0)[1] == "budget"
    # What was spent before midnight does not count after it.
    execute("UPDATE spending SET spent_at = ?", (span_of(Period.DAILY, now).since - 1,))
    assert len(scheduler.startable_ids(day)) == 1


def test_running_session_counts_with_its_reserve_after_midnight() -> None:
    day = rules(2.0)
    session_id, _ = launch(day, max_budget_usd=2.0)
    spend(session_id, 1.0, at=span_of(Period.DAILY, current_time_ms()).since - 1)
    assert launches(day, 2, max_budget_usd=1.0) == [None, "budget"]


def test_deleted_sessions_have_spent_what_they_spent() -> None:
    day = rules(1.0)
    session_id, _ = launch(day)
    end(session_id, 1.0)
    sessions.delete(session_id, current_time_ms())
    assert launch(day)[1] == "budget"


def test_recording_again_does_not_count_twice() -> None:
    day = rules(3.0)
    session_id, _ = launch(day)
    now = current_time_ms()
    spend(session_id, 1.0, at=now)
    spend(session_id, 1.0, at=now)
    assert day.budgets is not None
    (amount,) = (each.spent for each in ledger.spending(day.budgets.limits, now))
    assert amount == (1.0, 0.0)


def test_rehearsals_spend_from_a_budget_of_their_own() -> None:
    day = rules(2.0)
    assert launches(day, 3, rehearsed=True) == [None, None, "budget"]
    assert launches(day, 3) == [None, None, "budget"]


def test_restart_keeps_its_place_and_an_idle_session_asks_again() -> None:
    day = rules(2.0)
    restarting, _ = launch(day, max_budget_usd=1.0)
    sessions.mark_restarting(restarting, [], current_time_ms())
    kept, _ = launch(day, max_budget_usd=1.0, keep_open=True)
    sessions.mark_idle(kept, current_time_ms())
    execute("UPDATE sessions SET pending_messages = 0 WHERE id = ?", (kept,))
    # The idle session spends nothing, so another one may start.
    assert launch(day, max_budget_usd=1.0)[1] is None
    execute("UPDATE sessions SET pending_messages = 1 WHERE id = ?", (kept,))
    assert not scheduler.try_wake(kept, day, current_time_ms())
    sessions.end(restarting, DONE, current_time_ms())
    assert scheduler.try_wake(kept, day, current_time_ms())


def test_session_that_waits_for_a_budget_continues_to_wait_without_known_budgets() -> None:
    day = rules(1.0)
    launch(day)
    waiting, _ = launch(day)
    assert not scheduler.try_start(waiting, Rules(budgets=None), current_time_ms())
    assert scheduler.try_start(waiting, Rules(), current_time_ms())


def test_alerts_are_recorded_once_at_80_and_at_100_percent() -> None:
    day = Budgets((Limit(None, Period.DAILY, 10.0), Limit("nightly", Period.DAILY, 5.0)))
    session_id, _ = launch(Rules(), group_name="nightly")

    def due() -> list[tuple[str, int]]:
        alerts.record_due(day, current_time_ms(), rehearsed=False)
        alerts.record_due(day, current_time_ms(), rehearsed=False)
        found = [(alert.key, alert.percent) for alert in alerts.pending()]
        for alert in alerts.pending():
            alerts.mark_done(alert.id)
        return found

    spend(session_id, 3.9)
    assert due() == []
    spend(session_id, 0.2, position=2)
    assert due() == [("groups.nightly.daily_usd", 80)]
    spend(session_id, 6.0, position=3)
    keys = ["budgets.daily_usd", "budgets.daily_usd", "groups.nightly.daily_usd"]
    assert sorted(due()) == list(zip(keys, (80, 100, 100), strict=True))
    assert due() == []
