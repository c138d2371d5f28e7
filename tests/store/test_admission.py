"""Admission of a long queue: its cost grows with the length of the queue, and no faster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hldctl.paths import StateDirectory
from hldctl.states import Condition, Status, WaitReason
from hldctl.store.admission import scheduler
from hldctl.store.admission.entries import load_entries
from hldctl.store.admission.predecessors import Predecessor, find_fault
from hldctl.store.admission.rules import Rules
from hldctl.store.connection import current_connection, execute, transaction
from hldctl.store.database import open_database
from hldctl.store.session_table import SessionTable
from hldctl.system.processes import pid_scope
from tests.helpers.seed_database import session_row

_SHORT, _LONG = 100, 1000


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    directory = StateDirectory(tmp_path)
    with open_database(directory):
        yield directory


def session_id(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def seed_chain(length: int) -> None:
    """Insert a session that runs, and N queued ones, each after the one before it and after the first."""
    with transaction():
        for number in range(length + 1):
            before = [
                Predecessor(session_id(each), Condition.COMPLETED) for each in {0, number - 1} if 0 <= each < number
            ]
            row = session_row(session_id(number), number) | {
                "status": str(Status.QUEUED if number else Status.RUNNING),
                "completed_at": None,
                "end_reason": None,
                "boot_id": pid_scope(),
                "after": [each.as_object() for each in before] or None,
            }
            SessionTable.insert(row).execute()


def end(number: int, status: Status) -> None:
    execute("UPDATE sessions SET status = ?, completed_at = 1 WHERE id = ?", (str(status), session_id(number)))


def cost_of_a_look() -> tuple[int, int]:
    """Return the statements of one look at the queue, and SQLite's steps for them."""
    steps = []

    def record(event: dict[str, dict[str, int]]) -> None:
        steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])

    current_connection().trace_v2(apsw.SQLITE_TRACE_PROFILE, record)
    scheduler.ids_to_wake(Rules())
    current_connection().trace_v2(0, None)
    return len(steps), sum(steps)


def test_cost_of_admission_is_linear_in_the_length_of_the_queue(tmp_path: Path) -> None:
    costs = []
    for length in (_SHORT, _LONG):
        with open_database(StateDirectory(tmp_path / str(length))):
            seed_chain(length)
            costs.append(cost_of_a_look())
    (statements, short), (statements_of_long, long) = costs
    assert statements == statements_of_long == 3
    assert long <= short * _LONG / _SHORT * 1.1


def test_end_wakes_only_the_sessions_that_may_start(state: StateDirectory) -> None:
    seed_chain(_SHORT)
    assert scheduler.ids_to_wake(Rules()) == []
    end(0, Status.COMPLETED)
    assert scheduler.ids_to_wake(Rules()) == [session_id(1)]
    assert scheduler.try_start(session_id(1), Rules(), 1)
    assert not scheduler.try_start(session_id(2), Rules(), 1)
    assert scheduler.ids_to_wake(Rules()) == []


def test_failure_wakes_those_that_can_never_start(state: StateDirectory) -> None:
    seed_chain(3)
    end(0, Status.COMPLETED)
    end(1, Status.FAILED)
    assert scheduler.ids_to_wake(Rules()) == [session_id(2)]
    assert not scheduler.try_start(session_id(2), Rules(), 1)
    after = json.loads(execute("SELECT after FROM sessions WHERE id = ?", (session_id(2),)).fetchone()[0])
    fault = find_fault(Predecessor.from_object(each) for each in after)
    assert fault is not None
    assert (fault.id, fault.via) == (session_id(1), None)


def test_each_predecessor_is_watched_by_one_session(state: StateDirectory) -> None:
    seed_chain(3)
    assert [scheduler.sessions_ahead(session_id(number)) for number in (1, 2, 3)] == [
        [session_id(0)],
        [session_id(1)],
        [session_id(2)],
    ]


def test_predecessors_of_an_idle_session_are_of_no_account(state: StateDirectory) -> None:
    seed_chain(1)
    execute("UPDATE sessions SET status = 'idle', pending_messages = 1 WHERE id = ?", (session_id(1),))
    (entry,) = [entry for entry in load_entries() if entry.id == session_id(1)]
    assert entry.status == Status.QUEUED
    assert WaitReason.PREDECESSORS not in {entry.waiting_for}
    assert scheduler.ids_to_wake(Rules()) == [session_id(1)]
