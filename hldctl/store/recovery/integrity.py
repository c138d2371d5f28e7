"""Integrity checks of the database, and replacement of a damaged one; `salvage` reads what is left of it."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import apsw

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.store.connection import current_connection, execute, transaction
from hldctl.store.database import format_error
from hldctl.store.recovery import header, schema, valid_values

FIRST_FIXED_SQLITE = (3, 51, 3)
"""The first SQLite without the WAL-reset bug: https://sqlite.org/wal.html#walresetbug."""
_MAX_PROBLEMS = 20
_BUSY_TIMEOUT_SECONDS = 5


def sqlite_version() -> tuple[int, ...]:
    return tuple(map(int, apsw.sqlite_lib_version().split(".")))


def find_problems() -> list[str]:
    """Return the problems of the open database; empty if it is intact and each of its rows can be read."""
    try:
        results = [str(row[0]) for row in execute(f"PRAGMA integrity_check({_MAX_PROBLEMS})")]
        # The first row has a heading, and may have several lines.
        lines = [line for text in results for line in text.splitlines()]
        reported = [line for line in lines if line != "ok" and not line.startswith("***")]
        problems = reported or schema.differences(current_connection())
        if not problems:
            problems = schema.index_problems(current_connection()) or list(
                islice(valid_values.invalid_values(current_connection()), _MAX_PROBLEMS)
            )
        return [format_error(problem) for problem in problems]
    except (apsw.Error, ValueError, MemoryError) as error:
        # SQLite may quote text that is not UTF-8 from a damaged file: UnicodeDecodeError is a ValueError.
        return [format_error(error) or type(error).__name__]


@dataclass(frozen=True)
class Progress:
    """How far a session's journal is recorded, by its row and by its events; these agree unless something was lost."""

    session_id: str
    has_ended: bool
    journal_offset: int
    sequence: int
    events: int
    last_event: int


_PROGRESS = """
SELECT s.id, s.completed_at IS NOT NULL, s.journal_offset, json_extract(s.fold_state, '$.sequence'),
    coalesce(e.events, 0), coalesce(e.last_event, 0)
FROM sessions s LEFT JOIN (
    SELECT session_id, count(*) AS events, max(sequence) AS last_event FROM conversation_events GROUP BY session_id
) e ON e.session_id = s.id
"""


def progress() -> Iterator[Progress]:
    """Yield the progress of all sessions, from one query."""
    for session_id, has_ended, offset, sequence, events, last_event in execute(_PROGRESS).fetchall():
        yield Progress(session_id, bool(has_ended), offset, sequence or 0, events, last_event)


def set_aside(state: StateDirectory) -> Path:
    """Copy the database, its write-ahead log included, to a new name beside it. Raise UnfitEnvironment."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    names = (f"hldctl.db.damaged-{stamp}{'' if number == 1 else f'-{number}'}" for number in count(1))
    aside = next(path for name in names if not (path := state.database.with_name(name)).exists())
    try:
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{state.database}{suffix}", f"{aside}{suffix}")
    except OSError as error:
        delete_copy(aside)
        raise UnfitEnvironment(
            f"{state.database} cannot be copied to {aside}: {error.strerror or error}. "
            "It is left as it is; free some space and try again."
        ) from None
    return aside


def delete_copy(aside: Path) -> None:
    """Delete a copy of the database."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{aside}{suffix}").unlink(missing_ok=True)


def make_empty(state: StateDirectory) -> None:
    """Empty the database in place, even if it is damaged; raise apsw.BusyError while another process has it open."""
    empty_file(state.database)


def empty_file(path: Path) -> None:
    """Empty a file of SQLite in place, even if it is damaged; raise apsw.BusyError while another process has it."""
    try:
        _reset(path)
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.IOError):
        # SQLite 3.54 fails, for example, if the header and the write-ahead log have different page sizes.
        header.repair(path)
        _reset(path)


def _reset(path: Path) -> None:
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(_BUSY_TIMEOUT_SECONDS * 1000)
        # SQLite's documented way to do it: https://sqlite.org/c3ref/c_dbconfig_defensive.html
        connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 1)
        connection.execute("VACUUM")
        connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 0)
    finally:
        connection.close()


def continue_feed_at(feed_id: int) -> None:
    """Make the next feed event get an id greater than `feed_id`."""
    with transaction():
        execute("DELETE FROM sqlite_sequence WHERE name = 'feed'")
        execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('feed', ?)", (feed_id,))
