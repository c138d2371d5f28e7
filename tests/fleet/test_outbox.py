"""What the link reads from the local database, and what that costs."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from hldctl.config.fleet import Share
from hldctl.fleet.link import outbox
from hldctl.paths import StateDirectory
from hldctl.states import FeedType
from hldctl.store import feed
from hldctl.store.connection import current_connection, execute, transaction
from hldctl.store.database import open_database
from tests.helpers.seed_database import seed_sessions


def end_with_open_calls(session_id: str) -> int:
    """Let a session end whose tool calls have no result; return the id of the feed before that."""
    before = feed.last_given_id()
    with transaction():
        execute("DELETE FROM conversation_events WHERE event_type = 'tool_result'").fetchall()
        data = {"old_status": "running", "new_status": "completed"}
        feed.publish([(FeedType.SESSION_STATUS_CHANGED, session_id, session_id, 1, data)])
    return before


def count_steps(home: Path, events: int) -> tuple[int, int]:
    """Return how many events the end of such a session sends again, and SQLite's steps for that."""
    (session_id,) = seed_sessions(home, 1, events)
    steps = []
    with open_database(StateDirectory(home)):
        before = end_with_open_calls(session_id)

        def add(event: dict[str, dict[str, int]]) -> None:
            steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])

        current_connection().trace_v2(apsw.SQLITE_TRACE_PROFILE, add)
        batch = outbox.read_batch(before, Share.ALL)
    assert batch is not None
    return len(batch.events), sum(steps)


def test_end_of_a_session_sends_its_open_calls_in_linear_time(tmp_path: Path) -> None:
    few, few_steps = count_steps(tmp_path / "few", 300)
    many, many_steps = count_steps(tmp_path / "many", 3000)
    assert (few, many) == (100, 1000)
    assert many_steps < 12 * few_steps


def test_batch_is_bounded_by_rows_and_by_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed_sessions(tmp_path, 2, 800)
    with open_database(StateDirectory(tmp_path)):
        first = outbox.read_batch(0, Share.ALL)
        assert first is not None
        assert (len(first.events), first.is_full) == (1000, True)
        rest = outbox.read_batch(first.last_id, Share.ALL)
        assert rest is not None
        assert (len(rest.events), rest.is_full) == (600, False)
        assert outbox.read_batch(rest.last_id, Share.ALL) is None
        monkeypatch.setattr(outbox, "_MAX_CHARACTERS", 10_000)
        short = outbox.read_batch(0, Share.ALL)
        assert short is not None
        assert (0 < len(short.events) < 200, short.is_full) == (True, True)
