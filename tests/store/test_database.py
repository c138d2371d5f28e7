from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from peewee import BooleanField, FloatField, IntegerField, Model

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.store import sessions
from hldctl.store.approvals import Approval
from hldctl.store.connection import execute
from hldctl.store.database import open_database
from hldctl.store.events import COLUMNS
from hldctl.store.feed import FeedEvent
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.mcp_servers import McpServerRow
from hldctl.store.migrations import MIGRATIONS
from hldctl.store.models import TABLES
from hldctl.store.session import BOOLEAN_COLUMNS, JSON_COLUMNS
from hldctl.store.session import COLUMNS as SESSION_COLUMNS
from hldctl.store.session_list import Listing, find_sessions
from hldctl.store.session_table import JsonField, SessionTable
from tests.helpers.seed_database import seed_sessions


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def test_driver_does_not_have_the_wal_reset_bug() -> None:
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)


def test_new_database_is_created_with_all_migrations(state: StateDirectory) -> None:
    with open_database(state):
        assert execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert execute("PRAGMA synchronous").fetchone() == (1,)
        assert execute("PRAGMA mmap_size").fetchone() in ((0,), None)


def columns_of(table: str) -> list[str]:
    return [row[1] for row in execute(f"PRAGMA table_info({table})").fetchall()]


def test_row_fields_match_the_table_columns(state: StateDirectory) -> None:
    with open_database(state):
        assert set(SESSION_COLUMNS) == set(columns_of("sessions"))
        assert set(COLUMNS) <= set(columns_of("conversation_events"))
        assert set(Approval._fields) == set(columns_of("approvals"))
        assert set(FeedEvent._fields) == set(columns_of("feed"))
        assert set(McpServerRow._fields) == set(columns_of("mcp_servers")) - {"session_id"}
        assert set(SnapshotRow._fields) == set(columns_of("file_snapshots")) - {"id"}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table._meta.table_name)
def test_models_and_migrations_agree(state: StateDirectory, table: type[Model]) -> None:
    with open_database(state):
        made = {row[1]: row for row in execute(f"PRAGMA table_info({table._meta.table_name})").fetchall()}
    assert made.keys() == table._meta.columns.keys()
    for name, field in table._meta.columns.items():
        _, _, declared, is_required, _, place_in_key = made[name]
        is_number = isinstance(field, IntegerField | BooleanField)
        assert declared == ("INTEGER" if is_number else "REAL" if isinstance(field, FloatField) else "TEXT"), name
        assert place_in_key or bool(is_required) == (not field.null), name


def test_row_is_read_as_it_was_written(state: StateDirectory) -> None:
    """A row is the same whether peewee or the driver runs the query."""
    kinds = {name: type(field) for name, field in SessionTable._meta.columns.items()}
    assert {name for name, kind in kinds.items() if kind is JsonField} == JSON_COLUMNS
    assert {name for name, kind in kinds.items() if kind is BooleanField} == BOOLEAN_COLUMNS
    seed_sessions(state.root, 1, 1)
    with open_database(state):
        (session,) = find_sessions(Listing())
        assert sessions.get(session.id) == session
        assert (session.archived, session.allowed_tools) == (False, ())


AT_VERSION_1 = """
INSERT INTO sessions (id, run_id, status, query, summary, working_dir, additional_directories, allowed_tools,
    disallowed_tools, fresh_system_prompt, extra_arguments, auto_accept_edits, dangerously_skip_permissions, archived,
    created_at, last_activity_at, completed_at, permission_denials, host, claude_path, journal_offset, fold_state)
VALUES ('old', 'run', 'completed', 'q', 'q', '/', '[]', '[]', '[]', 0, '[]', 0, 0, 0, 1, 1, 2, '[]', 'h', 'c', 0, '{}')
"""


def test_database_of_each_earlier_version_keeps_its_data(state: StateDirectory) -> None:
    state.prepare()
    for version in range(1, len(MIGRATIONS)):
        state.database.unlink(missing_ok=True)
        with sqlite3.connect(state.database) as old:
            for number in range(version):
                for statement in MIGRATIONS[number]:
                    old.execute(statement)
            old.execute(AT_VERSION_1)
            old.execute(
                "INSERT INTO conversation_events (session_id, sequence, event_type, is_error, is_completed, created_at)"
                " VALUES ('old', 1, 'message', 0, 0, 1)"
            )
            old.execute(f"PRAGMA user_version = {version}")
        old.close()
        with open_database(state):
            assert execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
            session = sessions.get("old")
            assert session is not None
            assert (session.status, session.query) == ("completed", "q")
            assert execute("SELECT count(*) FROM conversation_events").fetchone() == (1,)
            sessions.change_settings("old", {"title": "new"}, 3)
            assert execute("SELECT count(*) FROM feed").fetchone() == (1,)
            execute("DELETE FROM sessions")
            for table in (
                "conversation_events",
                "feed",
                "mcp_servers",
                "file_snapshots",
                "approvals",
                "approval_rules",
            ):
                assert execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        assert _open_many(state) == [0] * 4


def test_newest_of_two_running_sessions_keeps_the_name(state: StateDirectory) -> None:
    """Before version 6 both could run; the index of version 6 does not allow it."""
    state.prepare()
    running = AT_VERSION_1.replace("'completed'", "'running'").replace("1, 1, 2, '[]'", "{created}, 1, NULL, '[]'")
    with sqlite3.connect(state.database) as old:
        for statement in (statement for step in MIGRATIONS[:5] for statement in step):
            old.execute(statement)
        for number, (status, created) in enumerate(
            [("running", 1), ("running", 3), ("running", 3), ("starting", 2), ("queued", 9), ("interrupting", 9)]
        ):
            row = running.replace("'old'", f"'session-{number}'").replace("'running'", f"'{status}'")
            old.execute(row.replace("{created}", str(created)))
        old.execute(AT_VERSION_1)
        old.execute("UPDATE sessions SET name = 'nightly'")
        old.execute("UPDATE sessions SET title = 'A title' WHERE id = 'session-0'")
        old.execute("PRAGMA user_version = 5")
    old.close()
    with open_database(state):
        assert execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert execute("SELECT id, name, title FROM sessions ORDER BY id").fetchall() == [
            ("old", "nightly", None),
            ("session-0", None, "A title"),
            ("session-1", None, "nightly"),
            ("session-2", "nightly", None),
            ("session-3", None, "nightly"),
            ("session-4", "nightly", None),
            ("session-5", "nightly", None),
        ]


def _open_many(state: StateDirectory) -> list[int]:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        return pool.map(_open, [state.root] * 4)


def _open(root: Path) -> int:
    with open_database(StateDirectory(root)):
        return int(execute("SELECT count(*) FROM sessions").fetchone()[0])


def test_many_processes_can_create_the_database_at_once(state: StateDirectory) -> None:
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        assert pool.map(_open, [state.root] * 16) == [0] * 16


def test_newer_database_is_refused(state: StateDirectory) -> None:
    with open_database(state):
        execute("PRAGMA user_version = 999")
    with pytest.raises(UnfitEnvironment, match="newer hldctl"), open_database(state):
        pass


def test_writer_waits_for_the_lock(state: StateDirectory) -> None:
    """A deferred transaction that begins with a read fails instead of waiting; the ancestor lost rows that way."""
    with open_database(state):
        assert execute("PRAGMA busy_timeout").fetchone() == (30_000,)
    # Use another process: two SQLite libraries in one process do not see each other's locks.
    writer = subprocess.Popen([sys.executable, "-c", HOLD_THE_LOCK, str(state.database)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    with open_database(state):
        assert sessions.request_interrupt("none", now=0, grace_ms=0) is False
        assert writer.wait(60) == 0
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
    "newest of all": "SELECT * FROM sessions ORDER BY created_at DESC, rowid DESC LIMIT 50",
    "children": "SELECT id FROM sessions WHERE parent_session_id = 'x'",
    "snapshots": "SELECT * FROM file_snapshots WHERE session_id = 'x' AND tool_id = 'y'",
    "mcp servers": "SELECT * FROM mcp_servers WHERE session_id = 'x' ORDER BY name",
    "feed": "SELECT * FROM feed WHERE id > 5 ORDER BY id LIMIT 500",
    "feed of a session": "SELECT * FROM feed WHERE id > 5 AND session_id = 'x' ORDER BY id LIMIT 500",
    "feed of a type": "SELECT * FROM feed WHERE id > 5 AND type IN ('x') AND type <> 'conversation_updated'"
    " ORDER BY id LIMIT 500",
    "approval": "SELECT * FROM approvals WHERE id = 'x'",
    "approvals by prefix": "SELECT id FROM approvals WHERE id >= 'x' AND id < 'y' LIMIT 2",
    "waiting approvals": "SELECT * FROM approvals WHERE status = 'pending' ORDER BY created_at, rowid",
    "approvals of a session": "SELECT * FROM approvals WHERE session_id = 'x' ORDER BY created_at, rowid",
    "approvals without a call": "SELECT * FROM approvals WHERE session_id = 'x' AND tool_use_id IS NULL"
    " ORDER BY created_at, rowid",
    "calls that wait": "SELECT tool_id FROM conversation_events WHERE session_id = 'x' AND event_type = 'tool_call'"
    " AND tool_name = 'y' AND is_completed = 0 AND tool_id IS NOT NULL AND approval_id IS NULL ORDER BY sequence",
    "newest approvals": "SELECT * FROM approvals WHERE rowid < 9 ORDER BY rowid DESC LIMIT 200",
    "rules": "SELECT tool_name, kind, content FROM approval_rules WHERE session_id = 'x'",
    "to prune": "SELECT id FROM sessions WHERE completed_at <= 5 AND id NOT IN"
    " (SELECT id FROM sessions WHERE completed_at IS NOT NULL ORDER BY created_at DESC, rowid DESC LIMIT 5)"
    " ORDER BY completed_at",
    "tool": "UPDATE conversation_events SET is_completed = 1 WHERE session_id = 'x' AND tool_id = 'y'",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_queries_do_not_scan_tables(state: StateDirectory, query: str) -> None:
    with open_database(state):
        plan = [row[3] for row in execute(f"EXPLAIN QUERY PLAN {query}").fetchall()]
    assert plan
    readings = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
    assert readings
    assert all(step.startswith("SEARCH") or "USING" in step for step in readings), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
