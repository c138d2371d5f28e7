from __future__ import annotations

from pathlib import Path

import pytest

from hldctl.claude.settings import ClaudeSettings
from hldctl.ingest import session_record
from hldctl.paths import StateDirectory
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.sessions.inspect import follow
from hldctl.store import events
from hldctl.store.connection import execute
from hldctl.store.database import open_database
from hldctl.store.events import COLUMNS


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "state")


def create_session(state: StateDirectory, lengths: list[int]) -> None:
    """Create a session with a prompt of one letter, followed by events whose texts have these lengths."""
    with open_database(state):
        request = LaunchRequest("s", "r", "q", "q", "/claude", 0, ClaudeSettings(working_dir="/"))
        session_record.create(session_record.new_session(session_record.row_from_request(request), None))
        insert = f"INSERT INTO conversation_events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
        for sequence, length in enumerate(lengths, 2):
            event = dict.fromkeys(COLUMNS) | {"session_id": "s", "sequence": sequence, "event_type": "message"}
            event |= {"content": "x" * length, "is_error": 0, "is_completed": 0, "created_at": 1}
            execute(insert, tuple(event.values()))


LENGTHS = [[], [1], [1] * 498, [1] * 499, [1] * 1203, [700_000] * 7, [3_000_000, 1, 2_000_000]]


@pytest.mark.parametrize("lengths", LENGTHS, ids=len)
def test_all_events_are_read_with_any_page_size(state: StateDirectory, lengths: list[int]) -> None:
    create_session(state, lengths)
    assert [len(event.content or "") for event in follow.conversation_events(state, ["s"])] == [1, *lengths]


def test_long_events_come_in_short_pages(state: StateDirectory) -> None:
    create_session(state, [700_000] * 5)
    with open_database(state):
        page = events.events_after("s", 1)
        assert (len(page.events), page.is_last) == (2, False)
        assert (len(events.events_after("s", 5).events), events.events_after("s", 5).is_last) == (1, True)
