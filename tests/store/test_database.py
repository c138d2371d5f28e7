from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from hldctl.errors import UnfitEnvironment
from hldctl.host.paths import StateDirectory
from hldctl.store import sessions
from hldctl.store.conversation import COLUMNS
from hldctl.store.database import execute, opened
from hldctl.store.migrations import MIGRATIONS
from hldctl.store.models import ConversationEvent, Session


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def test_the_driver_has_no_wal_reset_bug() -> None:
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)


def test_a_new_database_is_made_with_all_migrations(state: StateDirectory) -> None:
    with opened(state):
        assert execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert execute("PRAGMA synchronous").fetchone() == (1,)
        assert execute("PRAGMA mmap_size").fetchone() in ((0,), None)


def test_models_and_tables_agree(state: StateDirectory) -> None:
    with opened(state):
        for model in (Session, ConversationEvent):
            columns = [row[1] for row in execute(f"PRAGMA table_info({model._meta.table_name})").fetchall()]
            assert columns == list(model._meta.columns)
    assert set(COLUMNS) <= set(ConversationEvent._meta.columns)


def _open(root: Path) -> int:
    with opened(StateDirectory(root)):
        return int(execute("SELECT count(*) FROM sessions").fetchone()[0])


def test_many_may_make_it_at_once(state: StateDirectory) -> None:
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        assert pool.map(_open, [state.root] * 16) == [0] * 16


def test_a_newer_database_is_refused(state: StateDirectory) -> None:
    with opened(state):
        execute("PRAGMA user_version = 999")
    with pytest.raises(UnfitEnvironment, match="newer hldctl"), opened(state):
        pass


def test_a_writer_waits_for_its_turn(state: StateDirectory) -> None:
    """The ancestor's lost rows: a deferred transaction that begins with a read fails instead of waiting."""
    with opened(state):
        assert execute("PRAGMA busy_timeout").fetchone() == (30_000,)
    # Another process: two SQLite libraries in one do not see each other's locks.
    writer = subprocess.Popen([sys.executable, "-c", HOLD_THE_LOCK, str(state.database)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    with opened(state):
        assert sessions.request_interrupt("none", now=0, grace_ms=0) is False
        assert writer.wait(10) == 0
    writer.stdout.close()


HOLD_THE_LOCK = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(0.5)
database.execute("COMMIT")
"""


QUERIES = {
    "by id": "SELECT * FROM sessions WHERE id = 'x'",
    "by prefix": "SELECT id FROM sessions WHERE id >= 'x' AND id < 'y' LIMIT 2",
    "by name": "SELECT id FROM sessions WHERE name = 'x' ORDER BY created_at DESC LIMIT 1",
    "alive": "SELECT id FROM sessions WHERE completed_at IS NULL ORDER BY created_at",
    "newest": "SELECT * FROM sessions WHERE archived = 0 ORDER BY created_at DESC LIMIT 50",
    "page": "SELECT * FROM conversation_events WHERE session_id = 'x' AND sequence > 5 ORDER BY sequence LIMIT 500",
    "last": "SELECT max(sequence) FROM conversation_events WHERE session_id = 'x'",
    "tool": "UPDATE conversation_events SET is_completed = 1 WHERE session_id = 'x' AND tool_id = 'y'",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_no_query_scans_a_table(state: StateDirectory, query: str) -> None:
    with opened(state):
        plan = [row[3] for row in execute(f"EXPLAIN QUERY PLAN {query}").fetchall()]
    assert plan
    assert all(step.startswith("SEARCH") or "USING" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
