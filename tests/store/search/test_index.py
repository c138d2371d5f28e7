"""The index agrees with the database, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.sessions.inspect.search import search
from hldctl.store import events, sessions
from hldctl.store.connection import execute, transaction
from hldctl.store.database import open_database
from hldctl.store.events import COLUMNS, Step
from hldctl.store.search import update
from hldctl.store.search.index import SearchIndex, open_index
from hldctl.store.search.matches import Filters
from tests.helpers.seed_database import seed_sessions

SECOND = 1000


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


@pytest.fixture
def ids(state: StateDirectory) -> list[str]:
    return seed_sessions(state.root, 3, 4)


def record(session_id: str, sequence: int, *, told: int = 0, now: int = 9, **columns: object) -> None:
    """Record an event as a supervisor does, with the database open."""
    rest = {"session_id": session_id, "sequence": sequence, "event_type": "message", "role": "assistant"}
    rest |= {"is_error": 0, "is_completed": 0, "created_at": now}
    row = tuple((rest | columns).get(name) for name in COLUMNS)
    events.record(session_id, "run", Step([row], [], [], [], {"journal_offset": 0}), now, told=told)


def find_places(state: StateDirectory, text: str, **filters: object) -> list[tuple[str, int]]:
    return [(each.session_id, each.sequence) for each in search(state, text, Filters(**filters))]  # type: ignore[arg-type]


def entries(state: StateDirectory) -> int:
    index = open_index(state, 1, may_create=False)
    assert index is not None
    with closing(index):
        return index.count()


def test_all_texts_are_found_newest_first(state: StateDirectory, ids: list[str]) -> None:
    with open_database(state):
        record(ids[0], 5, content="The Needle is here")
        record(ids[2], 5, event_type="tool_call", tool_id="t", tool_name="Bash", tool_input='{"command": "a\\nneedle"}')
        record(ids[2], 6, event_type="tool_result", tool_result_for_id="t", tool_result_content="needle.py: found")
        record(ids[1], 5, event_type="thinking", content="src/needle.py")
    assert find_places(state, "needle") == [(ids[1], 5), (ids[2], 6), (ids[2], 5), (ids[0], 5)]
    assert find_places(state, "needle.py") == [(ids[1], 5), (ids[2], 6)]


def test_event_is_found_as_soon_as_it_is_recorded(state: StateDirectory, ids: list[str]) -> None:
    for number in range(5, 10):
        with open_database(state):
            record(ids[0], number, content=f"number{number}")
        assert find_places(state, f"number{number}") == [(ids[0], number)]
    assert entries(state) == 3 * 4 + 5


def test_filters_apply_together(state: StateDirectory, ids: list[str]) -> None:
    with open_database(state):
        record(ids[0], 5, content="needle", role="user")
        record(ids[0], 6, event_type="tool_call", tool_id="t", tool_name="mcp__a__b", tool_input='["needle"]')
        record(ids[0], 7, event_type="tool_result", role="user", tool_result_for_id="t", tool_result_content="needle")
        record(ids[1], 5, event_type="tool_call", tool_id="u", tool_name="mcp__a", tool_input='["needle"]')
    assert find_places(state, "needle", role="user") == [(ids[0], 7), (ids[0], 5)]
    assert find_places(state, "needle", session_id=ids[0]) == [(ids[0], 7), (ids[0], 6), (ids[0], 5)]
    assert find_places(state, "needle", tool="mcp__a__b") == [(ids[0], 7), (ids[0], 6)]
    assert find_places(state, "needle", tool="mcp__a") == [(ids[1], 5)]
    assert find_places(state, "needle", tool="mcp__a__b", role="user") == [(ids[0], 7)]
    assert find_places(state, "needle", tool="Bash") == []


def test_since_finds_what_was_recorded_after_an_older_session_was_imported(
    state: StateDirectory, ids: list[str]
) -> None:
    start = 1_000_000 * SECOND
    execute_times = [(number, start + number * SECOND) for number in range(40)]
    with open_database(state):
        with transaction():
            execute("UPDATE feed SET timestamp = 0")
        for number, now in execute_times:
            # An imported session begins with an old time.
            record(ids[0], 5 + number, content="needle", now=5 if number % 10 == 3 else now)
    for number, now in execute_times:
        expected = [5 + each for each, _ in execute_times if each >= number and each % 10 != 3]
        assert [sequence for _, sequence in find_places(state, "needle", since=now)] == expected[::-1]


def test_replay_of_a_journal_changes_nothing(state: StateDirectory, ids: list[str]) -> None:
    with open_database(state):
        record(ids[0], 5, content="needle")
    assert find_places(state, "needle") == [(ids[0], 5)]
    before = entries(state)
    with open_database(state):
        query = {"session_id": ids[0], "sequence": 1, "event_type": "message", "role": "user", "content": "Fix"}
        query |= {"is_error": False, "is_completed": False, "created_at": 1}
        events.reset_conversation(query, {})
        record(ids[0], 5, told=5, content="needle")
        # Recorded for the first time.
        record(ids[0], 6, told=5, content="needle")
    assert find_places(state, "needle") == [(ids[0], 6), (ids[0], 5)]
    assert entries(state) == before + 1


@pytest.mark.parametrize("is_noticed", [True, False], ids=["at once", "later"])
def test_deleted_session_leaves_no_entries(state: StateDirectory, ids: list[str], is_noticed: bool) -> None:
    assert len(find_places(state, "parser", session_id=ids[1])) == 3
    with open_database(state):
        sessions.delete(ids[1], 9)
        if is_noticed:
            update.forget_session(state, ids[1])
            assert entries(state) == 2 * 4
    assert find_places(state, "parser", session_id=ids[1]) == []
    assert entries(state) == 2 * 4
    assert len(find_places(state, "parser")) == 2 * 3


def test_ids_of_deleted_sessions_do_not_hide_new_events(state: StateDirectory, ids: list[str]) -> None:
    assert len(find_places(state, "parser")) == 9
    with open_database(state):
        sessions.delete(ids[2])
        record(ids[0], 5, content="needle")
    assert find_places(state, "needle") == [(ids[0], 5)]
    assert find_places(state, "parser", session_id=ids[2]) == []


def test_index_of_another_database_is_replaced(state: StateDirectory, ids: list[str]) -> None:
    with open_database(state):
        record(ids[0], 5, content="needle")
    assert len(find_places(state, "needle")) == 1
    for name in ("hldctl.db", "hldctl.db-wal", "hldctl.db-shm"):
        (state.root / name).unlink(missing_ok=True)
    others = seed_sessions(state.root, 5, 4)
    assert find_places(state, "needle") == []
    assert len(find_places(state, "parser")) == 5 * 3
    assert entries(state) == len(others) * 4


def test_index_of_a_newer_copy_of_the_database_is_replaced(state: StateDirectory, ids: list[str]) -> None:
    """An older copy of the database gives ids again that the index has."""
    with open_database(state):
        execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    backup = state.database.read_bytes()
    with open_database(state):
        record(ids[0], 5, content="needle")
    assert len(find_places(state, "needle")) == 1
    state.database.write_bytes(backup)
    with open_database(state):
        record(ids[1], 5, content="other", now=77)
    assert find_places(state, "needle") == []
    assert find_places(state, "other") == [(ids[1], 5)]


def test_vacuum_changes_no_ids(state: StateDirectory, ids: list[str]) -> None:
    with open_database(state):
        record(ids[2], 5, content="needle")
    assert find_places(state, "needle") == [(ids[2], 5)]
    with open_database(state):
        sessions.delete(ids[0], 9)
        execute("VACUUM").fetchall()
    assert find_places(state, "needle") == [(ids[2], 5)]


@pytest.mark.parametrize("size", [100, 5000, 20_000])
def test_damaged_index_is_built_again(state: StateDirectory, ids: list[str], size: int) -> None:
    assert len(find_places(state, "parser")) == 9
    with state.search_index.open("r+b") as file:
        file.seek(size)
        file.write(b"\xff" * 3000)
    notes: list[str] = []
    assert len(list(search(state, "parser", on_note=notes.append))) == 9
    assert notes == ["the search index was damaged; it is built again"]
    assert len(find_places(state, "parser")) == 9


def test_damaged_index_stops_neither_recording_nor_deletion(state: StateDirectory, ids: list[str]) -> None:
    assert len(find_places(state, "parser")) == 9
    state.search_index.write_bytes(b"no database at all" * 1000)
    with open_database(state):
        record(ids[0], 5, content="needle")
        update.index_newest(state)
        sessions.delete(ids[1], 9)
        update.forget_session(state, ids[1])
    assert find_places(state, "needle") == [(ids[0], 5)]


def test_little_is_indexed_at_the_end_of_a_session_and_much_is_left_to_a_search(tmp_path: Path) -> None:
    little, much = StateDirectory(tmp_path / "little"), StateDirectory(tmp_path / "much")
    for state, count in ((little, 2), (much, update.FEW_ROWS + 1)):
        seed_sessions(state.root, 1, count)
        with open_database(state):
            update.index_newest(state)
    assert entries(little) == 2
    assert not much.search_index.exists()


_INDEXER = """
import sys
from pathlib import Path
from hldctl.paths import StateDirectory
from hldctl.store.database import open_database
from hldctl.store.search import update
from hldctl.store.search.index import SearchIndex, open_index
state, added = StateDirectory(Path(sys.argv[1])), 0
with open_database(state):
    index = open_index(state, 30, may_create=True)
    while rows := update.index_batch(index, 20):
        added += rows
print(added)
"""


def test_several_processes_index_each_event_once(state: StateDirectory) -> None:
    (session_id,) = seed_sessions(state.root, 1, 3000)
    command = [sys.executable, "-c", _INDEXER, str(state.root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = [int(process.communicate()[0]) for process in processes]
    assert sum(counts) == 3000
    assert entries(state) == 3000
    assert len(find_places(state, "make", session_id=session_id)) == 1000


def test_interrupted_transaction_leaves_no_entries(state: StateDirectory, ids: list[str]) -> None:
    def fail(index: SearchIndex) -> None:
        with index.transaction():
            index.add([(1, "needle", "s1")])
            raise ZeroDivisionError

    with open_database(state):
        index = open_index(state, 1, may_create=True)
        assert index is not None
        with closing(index), pytest.raises(ZeroDivisionError):
            fail(index)
    assert len(find_places(state, "parser")) == 9
    assert find_places(state, "needle") == []


@pytest.fixture
def writer(state: StateDirectory, ids: list[str]) -> Iterator[apsw.Connection]:
    assert find_places(state, "parser")
    connection = apsw.Connection(str(state.search_index))
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_writer_of_the_index_delays_no_recorder(state: StateDirectory, ids: list[str], writer: apsw.Connection) -> None:
    with open_database(state):
        record(ids[0], 5, content="needle")
        update.index_newest(state)
    writer.execute("ROLLBACK")
    assert find_places(state, "needle") == [(ids[0], 5)]


def test_unreadable_index_is_an_error_of_the_environment(state: StateDirectory, ids: list[str]) -> None:
    state.search_index.mkdir()
    with pytest.raises(UnfitEnvironment, match=r"search\.db"):
        find_places(state, "parser")
