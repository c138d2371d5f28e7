"""Database queries of a supervisor while nothing happens."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from hldctl.paths import StateDirectory
from hldctl.private_files import ensure_exists, touch
from hldctl.store import approvals
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.database import open_database
from hldctl.supervisor.claude_process import SpawnedProcess
from hldctl.supervisor.monitor import ProcessMonitor
from hldctl.system.processes import identify
from tests.helpers.seed_database import seed_sessions

EXACT = 1_700_000_000_123_456_789
WHOLE_SECOND = 1_700_000_000_000_000_000


@pytest.fixture
def supervision(tmp_path: Path) -> Iterator[ProcessMonitor]:
    state = StateDirectory(tmp_path)
    (session_id,) = seed_sessions(tmp_path, 1, 1)
    files = state.session(session_id)
    files.directory.mkdir(parents=True)
    for path in (files.wake_signal, files.wake_answer):
        ensure_exists(path)
    touch(files.wake_signal, EXACT)
    own = identify(os.getpid())
    assert own is not None
    with open_database(state):
        yield ProcessMonitor(state, session_id, SpawnedProcess(own))


@contextmanager
def statements() -> Iterator[list[str]]:
    run: list[str] = []
    current_connection().trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: run.append(event["sql"]))
    yield run
    current_connection().trace_v2(0, None)


def run_check(supervision: ProcessMonitor) -> int:
    """Return the number of statements that a wake-up runs."""
    with statements() as run:
        supervision._handle_requests()
    return len(run)


def pass_time(supervision: ProcessMonitor) -> None:
    supervision._next_poll = 0.0


def test_check_without_a_signal_runs_two_statements(supervision: ProcessMonitor) -> None:
    assert run_check(supervision) == 2
    assert run_check(supervision) == 0
    pass_time(supervision)
    assert run_check(supervision) == 2
    assert run_check(supervision) == 0


def test_signal_is_checked_at_once_and_acknowledged(supervision: ProcessMonitor) -> None:
    files = supervision._files
    run_check(supervision)
    assert files.wake_answer.stat().st_mtime_ns == EXACT
    touch(files.wake_signal, EXACT - 1)
    assert run_check(supervision) == 2
    assert files.wake_answer.stat().st_mtime_ns == EXACT - 1


def test_each_wake_up_is_a_check_if_mtimes_are_whole_seconds(supervision: ProcessMonitor) -> None:
    touch(supervision._files.wake_signal, WHOLE_SECOND)
    assert [run_check(supervision), run_check(supervision)] == [2, 2]


def test_failed_check_is_not_acknowledged_and_is_repeated(supervision: ProcessMonitor) -> None:
    files = supervision._files
    current_connection().execute("ALTER TABLE approvals RENAME TO gone")
    with pytest.raises(apsw.SQLError):
        run_check(supervision)
    assert files.wake_answer.stat().st_mtime_ns != EXACT
    current_connection().execute("ALTER TABLE gone RENAME TO approvals")
    assert run_check(supervision) == 2
    assert files.wake_answer.stat().st_mtime_ns == EXACT


def test_hook_of_an_answered_request_is_woken_again(supervision: ProcessMonitor) -> None:
    """The command that answered the request may have died before it woke the hook."""
    with subprocess.Popen(["sleep", "1000"]) as hook:
        answer = request(supervision, hook.pid)
        run_check(supervision)
        before = answer.stat().st_mtime_ns
        current_connection().execute("UPDATE approvals SET status = 'approved'")
        pass_time(supervision)
        run_check(supervision)
        assert answer.stat().st_mtime_ns != before
        hook.kill()


def request(supervision: ProcessMonitor, pid: int) -> Path:
    """Add a pending request; return the file that wakes its hook."""
    process = identify(pid)
    assert process is not None
    answer = supervision._files.answer_signal("a")
    answer.parent.mkdir()
    ensure_exists(answer)
    touch(answer, EXACT)
    values = dict.fromkeys(Approval._fields) | {
        "id": "a",
        "session_id": supervision._session_id,
        "run_id": "r",
        "tool_name": "Bash",
        "tool_input": "{}",
        "status": "pending",
        "created_at": 0,
        "hook_pid": pid,
        "hook_started": process.started,
        "boot_id": process.boot_id,
    }
    marks = ", ".join("?" * len(values))
    current_connection().execute(
        f"INSERT INTO approvals ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
    )
    assert [approval.id for approval in approvals.pending_approvals(current_connection())] == ["a"]
    return answer
