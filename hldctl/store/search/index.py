"""The index file: words of all events, and how far in the feed they reach.

It is a file of its own, so that no recorder waits for it or writes it, and damage to it harms nothing else. It has no
texts: these are read from the database. A row of the index has the id of its event in the feed, which is never reused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.store.connection import Parameters
from hldctl.store.database import UNWRITABLE, format_error
from hldctl.store.search.text import Tokenizer
from hldctl.system import file_lock

# Changes with what is indexed: a file with another number is made again.
_VERSION = 1
_TOKENIZER = ("unicode61", "remove_diacritics", "2")
_SCHEMA = f"""
CREATE VIRTUAL TABLE words USING fts5(
    text, facets, content = '', contentless_delete = 1, tokenize = "{" ".join(_TOKENIZER)}"
);
INSERT INTO words (words, rank) VALUES ('automerge', 8);
CREATE TABLE progress (life TEXT NOT NULL, feed_id INTEGER NOT NULL, witness TEXT);
PRAGMA user_version = {_VERSION};
"""
_CACHE_KB = 2048
_CREATION_TIMEOUT_SECONDS = 60
_DELETE_BATCH_ROWS = 2000
_DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
# SQLite's messages for a table that is missing or has another form.
_DAMAGE_WORDS = ("no such", "malformed", "already exists", "vtable constructor failed", "fts5: ")

Row = tuple[Any, ...]
Entry = tuple[int, str, str]
"""The feed's id of an event, its text, and its facets."""


class DamagedIndex(UnfitEnvironment):
    """An index that cannot be read; `empty` makes a new one in its place."""


class UnwritableIndex(UnfitEnvironment):
    """An index on a disk that is full or read-only."""


class SearchIndex:
    """The open index file."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection
        tokenizer = connection.fts5_tokenizer(_TOKENIZER[0], list(_TOKENIZER[1:]))
        self.tokenizer = Tokenizer(tokenizer, apsw.FTS5_TOKENIZE_DOCUMENT)

    def close(self) -> None:
        with suppress(apsw.Error):
            self._connection.close(True)

    def execute(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Run a statement and return all its rows. Raise DamagedIndex, UnwritableIndex or UnfitEnvironment."""
        with _translate_errors(self._path):
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in a transaction; of several processes, one at a time."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(apsw.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise

    def progress(self) -> tuple[str | None, int, str | None]:
        """Return the life of the indexed database, how far its feed is indexed, and a witness of the last row."""
        rows = self.execute("SELECT life, feed_id, witness FROM progress")
        return rows[0] if rows else (None, 0, None)

    def advance(self, life: str, feed_id: int, witness: str | None) -> None:
        """Record that everything up to this id of the feed is indexed; call it in the transaction that indexes it."""
        self.execute("DELETE FROM progress")
        self.execute("INSERT INTO progress VALUES (?, ?, ?)", (life, feed_id, witness))

    def add(self, entries: Iterable[Entry]) -> None:
        with _translate_errors(self._path):
            self._connection.executemany("INSERT INTO words (rowid, text, facets) VALUES (?, ?, ?)", entries)

    def clear(self) -> None:
        """Remove all entries, inside a transaction."""
        for statement in ("DROP TABLE IF EXISTS words", "DROP TABLE IF EXISTS progress", _SCHEMA):
            self.execute(statement)

    def find(self, expression: str, *, above: int, below: int | None, limit: int) -> list[int]:
        """Return the next ids of the feed whose events match, in descending order."""
        bound = "" if below is None else " AND rowid < ?"
        values = (expression, above, *(() if below is None else (below,)), limit)
        query = f"SELECT rowid FROM words WHERE words MATCH ? AND rowid > ?{bound} ORDER BY rowid DESC LIMIT ?"
        return [row[0] for row in self.execute(query, values)]

    def delete_some(self, session_id: str) -> bool:
        """Delete up to 2,000 entries of a session, inside a transaction; return False if it has none."""
        expression = f"facets : {session_facet(session_id)}"
        ids = self.find(expression, above=0, below=None, limit=_DELETE_BATCH_ROWS)
        with _translate_errors(self._path):
            self._connection.executemany("DELETE FROM words WHERE rowid = ?", [(each,) for each in ids])
        return bool(ids)

    def count(self) -> int:
        """Return how many events are indexed."""
        return int(self.execute("SELECT count(*) FROM words_docsize")[0][0])

    def check(self) -> None:
        """Raise DamagedIndex if the file is damaged. It is read as a whole."""
        problem = self.execute("PRAGMA quick_check(1)")[0][0]
        if problem != "ok":
            raise DamagedIndex(_damage_message(self._path, problem))
        # Compares the list of words with the checksums that they give.
        self.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def open_index(state: StateDirectory, busy_timeout_seconds: float, *, may_create: bool) -> SearchIndex | None:
    """Open the index; return None if it does not exist and may not be created.

    Raise DamagedIndex if it cannot be read, and UnwritableIndex if the disk cannot be written to.
    """
    path = state.search_index
    if not may_create and not path.exists():
        return None
    with _translate_errors(path):
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if may_create else 0)
        connection = apsw.Connection(str(path), flags=flags)
        try:
            connection.set_busy_timeout(int(busy_timeout_seconds * 1000))
            connection.execute(f"PRAGMA synchronous = NORMAL; PRAGMA cache_size = -{_CACHE_KB}")
            index = SearchIndex(path, connection)
            if _version(connection) != _VERSION:
                _create(state, index, connection)
        except BaseException:
            connection.close(True)
            raise
    return index


def _create(state: StateDirectory, index: SearchIndex, connection: apsw.Connection) -> None:
    """Make the tables, unless another process has made them in the meantime."""
    lock = file_lock.acquire_quickly(state.migration_lock, _CREATION_TIMEOUT_SECONDS)
    if lock is None:
        raise UnfitEnvironment(f"Another process has been using {state.migration_lock} for a minute; try again later.")
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        with index.transaction():
            if _version(connection) != _VERSION:
                index.clear()
    finally:
        os.close(lock)


def empty(state: StateDirectory) -> None:
    """Make an empty file of a damaged one, in place: another process may have it open. Raise UnfitEnvironment."""
    # Imported here: damage is rare.
    from hldctl.store.recovery import integrity

    with _translate_errors(state.search_index):
        integrity.empty_file(state.search_index)


def new_tokenizer(*, keeps_accents: bool = False) -> Tokenizer:
    """Return the tokenizer of the index without the index; with `keeps_accents`, one whose words differ by accents."""
    options = ("unicode61", "remove_diacritics", "0") if keeps_accents else _TOKENIZER
    tokenizer = apsw.Connection(":memory:").fts5_tokenizer(options[0], list(options[1:]))
    return Tokenizer(tokenizer, apsw.FTS5_TOKENIZE_DOCUMENT)


def session_facet(session_id: str) -> str:
    """Return the word that the entries of a session have."""
    return f"s{session_id.replace('-', '')}"


def _version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))


def _damage_message(path: Path, problem: object) -> str:
    return f"The search index {path} is damaged: {format_error(problem)}. Run `hldctl doctor --fix`."


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    """Turn the driver's errors into those of the index."""
    try:
        yield
    except _DAMAGE as error:
        raise DamagedIndex(_damage_message(path, error)) from error
    except UNWRITABLE as error:
        raise UnwritableIndex(
            f"The search index {path} cannot be written: {format_error(error)}. Free some space, or make it writable."
        ) from error
    except apsw.BusyError as error:
        raise UnfitEnvironment(f"The search index {path} is in use; try again.") from error
    except apsw.SQLError as error:
        if any(words in str(error) for words in _DAMAGE_WORDS):
            raise DamagedIndex(_damage_message(path, error)) from error
        raise
