from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from hldctl.paths import StateDirectory
from hldctl.store import maintenance
from hldctl.store.connection import execute
from hldctl.store.database import open_database

MEGABYTE = 1 << 20


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def log_length(state: StateDirectory) -> int:
    return state.database.with_name("hldctl.db-wal").stat().st_size


def fill_log(megabytes: int) -> None:
    execute("CREATE TABLE filler (content BLOB)")
    for _ in range(megabytes):
        execute("INSERT INTO filler VALUES (randomblob(?))", (MEGABYTE,))


def test_wal_grown_by_a_reader_is_truncated_after_the_read(state: StateDirectory) -> None:
    with open_database(state):
        reader = apsw.Connection(str(state.database))
        reader.execute("BEGIN; SELECT count(*) FROM sessions").fetchall()
        fill_log(40)
        maintenance.truncate_log()
        assert log_length(state) > 32 * MEGABYTE
        reader.execute("COMMIT")
        maintenance.truncate_log()
        assert log_length(state) == 0
        assert execute("PRAGMA busy_timeout").fetchone() == (30_000,)
        reader.close()


def test_short_wal_is_left_to_sqlite(state: StateDirectory) -> None:
    with open_database(state):
        reader = apsw.Connection(str(state.database))
        reader.execute("BEGIN; SELECT count(*) FROM sessions").fetchall()
        fill_log(10)
        reader.execute("COMMIT")
        before = log_length(state)
        maintenance.truncate_log()
        assert log_length(state) == before > 0
        reader.close()
