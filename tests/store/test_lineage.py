"""Admission of sessions that sessions launch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hldctl.paths import StateDirectory
from hldctl.states import EndReason, IfRunning, Status
from hldctl.store import sessions
from hldctl.store.admission import scheduler
from hldctl.store.admission.lineage import Launching, LaunchRefused, Refusal
from hldctl.store.admission.rules import Rules
from hldctl.store.connection import execute
from hldctl.store.database import open_database
from hldctl.store.sessions import Ending
from hldctl.system.clock import current_time_ms
from tests.helpers.budget_race import new_session, spend

_RULES = Rules()


@pytest.fixture(autouse=True)
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    directory = StateDirectory(tmp_path)
    with open_database(directory):
        yield directory


def launch(
    *launchers: str, rules: Rules = _RULES, requested_at: int = 0, is_chosen: bool = True, **columns: Any
) -> tuple[str, float | None]:
    """Admit a session, and return its id and its limit."""
    above = {"launchers": [*launchers], "launched_by": launchers[-1]} if launchers else {}
    new = new_session(**above, **columns)
    admission = scheduler.admit(new, IfRunning.FAIL, rules, launching=Launching(requested_at, is_chosen))
    return new.row["id"], admission.max_budget_usd


def refusal(*launchers: str, **options: Any) -> Refusal:
    with pytest.raises(LaunchRefused) as caught:
        launch(*launchers, **options)
    return caught.value.refusal


def end(session_id: str) -> None:
    sessions.end(session_id, Ending(Status.COMPLETED, EndReason.SUCCESS), current_time_ms())


def test_interrupted_session_launches_none_that_it_had_begun() -> None:
    root, _ = launch()
    interrupted_at = current_time_ms()
    sessions.request_interrupt(root, interrupted_at, 0)
    assert refusal(root, requested_at=interrupted_at + 1) is Refusal.INTERRUPTED
    end(root)
    assert refusal(root, requested_at=interrupted_at - 1) is Refusal.INTERRUPTED
    # A person may have opened it since.
    launch(root, requested_at=interrupted_at + 1)


def test_depth_counts_sessions_that_were_deleted() -> None:
    rules = Rules(max_launch_depth=2)
    root, _ = launch()
    first, _ = launch(root, rules=rules)
    second, _ = launch(root, first, rules=rules)
    for session_id in (root, first):
        end(session_id)
        sessions.delete(session_id)
    assert refusal(root, first, second, rules=rules) is Refusal.DEPTH
    assert refusal("unknown", rules=Rules(max_launch_depth=0)) is Refusal.DEPTH


def test_number_counts_all_levels_of_one_tree() -> None:
    rules = Rules(max_launched=2)
    root, _ = launch()
    other, _ = launch()
    first, _ = launch(root, rules=rules)
    launch(root, first, rules=rules)
    assert refusal(root, first, rules=rules) is Refusal.NUMBER
    launch(other, rules=rules)
    end(first)
    launch(root, first, rules=rules)


def test_limit_is_shared_along_the_tree() -> None:
    root, _ = launch(max_budget_usd=10.0)
    spend(root, 1.0)
    first, limit = launch(root, max_budget_usd=20.0, is_chosen=False)
    assert limit == 9.0
    assert refusal(root, max_budget_usd=0.5) is Refusal.BUDGET
    assert refusal(root, max_budget_usd=None) is Refusal.BUDGET
    second, limit = launch(root, first, max_budget_usd=4.0)
    assert limit == 4.0
    assert launch(root, first, max_budget_usd=None)[1] == 5.0
    spend(first, 2.0)
    end(first)
    # It has spent 2, and the two that it launched may spend 9, which is more than it had: 1 + 2 + 9.
    assert refusal(root, max_budget_usd=0.01) is Refusal.BUDGET
    spend(second, 1.0)
    end(second)
    assert refusal(root, max_budget_usd=1.01) is Refusal.BUDGET
    sessions.delete(second)
    sessions.delete(first)
    assert refusal(root, max_budget_usd=1.01) is Refusal.BUDGET
    assert launch(root, max_budget_usd=1.0)[1] == 1.0
    assert execute("SELECT deleted_launched_usd FROM sessions WHERE id = ?", (root,)).fetchone() == (8.0,)


def test_estimates_count_before_a_result() -> None:
    root, _ = launch(max_budget_usd=10.0)
    execute("""UPDATE sessions SET fold_state = '{"estimated_usd": {"1": 2.5, "2": 0.5}}' WHERE id = ?""", (root,))
    assert launch(root, max_budget_usd=None)[1] == 7.0


def test_without_a_limit_a_launcher_limits_none() -> None:
    root, _ = launch()
    assert launch(root, max_budget_usd=None)[1] is None
    assert launch(root, max_budget_usd=90.0)[1] == 90.0
