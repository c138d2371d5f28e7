from __future__ import annotations

import sqlite3

import pytest

from hldctl.store import activity
from hldctl.store.sessions import OUTCOMES
from tests.helpers.sandbox import Sandbox


@pytest.mark.parametrize("query", [activity.LIVE, activity.OLDEST_OPEN_CALLS, activity.LAST_EVENTS])
def test_activity_queries_use_the_indexes_on_running_sessions(sandbox: Sandbox, query: str) -> None:
    steps = plan(sandbox, query)
    assert any("USING INDEX sessions_alive" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN") and "sessions_alive" not in step], steps


def test_last_message_is_searched_from_the_end(sandbox: Sandbox) -> None:
    assert plan(sandbox, activity.LAST_WORDS, "id") == [
        "SEARCH conversation_events USING INDEX events_by_sequence (session_id=?)"
    ]


def test_outcomes_are_found_by_their_ids(sandbox: Sandbox) -> None:
    assert "SEARCH sessions USING INDEX sqlite_autoindex_sessions_1 (id=?)" in plan(sandbox, OUTCOMES, 1, "[]")


def plan(sandbox: Sandbox, query: str, *parameters: object) -> list[str]:
    sandbox.ok("ls")
    try:
        return [step[3] for step in sandbox.sql(f"EXPLAIN QUERY PLAN {query}", *parameters)]
    except sqlite3.OperationalError as error:
        raise AssertionError(query) from error
