"""The cost of commands and supervisors, counted instead of timed: statements, transactions and SQLite's steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from hldctl.ingest.ingester import Ingester
from hldctl.ingest.journal import CHUNK_BYTES
from hldctl.paths import StateDirectory
from hldctl.private_files import ensure_exists
from hldctl.store import sessions
from hldctl.store.connection import current_connection
from hldctl.store.database import open_database
from tests.helpers.seed_database import seed_sessions

_FEW, _MANY = 60, 1200
_EVENTS = 40

_TRACING_PROGRAM = """
import json, sys, apsw
statements = []
def record(event):
    status = event["stmt_status"]
    statements.append((event["sql"], status["SQLITE_STMTSTATUS_VM_STEP"], status["SQLITE_STMTSTATUS_FULLSCAN_STEP"]))
apsw.connection_hooks.append(lambda connection: connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, record))
from hldctl.cli.app import main
try:
    main(sys.argv[1:])
finally:
    print(json.dumps(statements), file=sys.stderr)
"""


@dataclass(frozen=True)
class Statement:
    sql: str
    steps: int
    """Steps of SQLite's virtual machine: a scan of a table takes at least one for each row."""
    scanned: int
    """Rows read without an index."""


@dataclass(frozen=True)
class SeededHome:
    """A home with sessions."""

    home: Path
    ids: list[str]

    def statements(self, *arguments: str) -> list[Statement]:
        """Run a command and return its statements."""
        done = subprocess.run(
            [sys.executable, "-c", _TRACING_PROGRAM, *arguments],
            env={"HLDCTL_HOME": str(self.home), "HOME": str(self.home), "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        statements = json.loads(done.stderr.splitlines()[-1])
        assert done.returncode == 0, done.stderr
        return [Statement(*statement) for statement in statements]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> SeededHome:
    home = tmp_path_factory.mktemp("few")
    return SeededHome(home, seed_sessions(home, _FEW, _EVENTS))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> SeededHome:
    home = tmp_path_factory.mktemp("many")
    return SeededHome(home, seed_sessions(home, _MANY, _EVENTS))


READ_COMMANDS = [
    "ls",
    "ls --limit 20",
    "ls -q --limit 20",
    "ls --json --limit 20",
    "ls --status running",
    "ls --since 3m",
    "ls --tree",
    "show ID",
    "show ID --json",
    "tail ID",
    "tail -n 20 ID",
    "tail --json ID",
    "wait ID",
    "wait last",
    "approvals",
    "events --session ID",
    "export ID",
]
"""All except sums, text searches and orders without an index, which read all rows."""


@pytest.mark.parametrize("command", READ_COMMANDS)
def test_cost_of_a_command_does_not_grow_with_sessions(few: SeededHome, many: SeededHome, command: str) -> None:
    costs = []
    for home in (few, many):
        arguments = command.replace("ID", home.ids[-1]).split()
        costs.append(home.statements(*arguments))
    assert [statement.sql for statement in costs[0]] == [statement.sql for statement in costs[1]]
    for small, large in zip(*costs, strict=True):
        assert large.scanned <= small.scanned, large
        # The result is the same, but a B-tree with more rows is a little deeper.
        assert large.steps <= small.steps * 1.2 + 20, large


@pytest.mark.parametrize(
    "arguments", [["parser"], ["parser", "--role", "user", "--tool", "Bash"], ["absent"], ["ran the tests"]]
)
def test_cost_of_a_search_does_not_grow_with_sessions(few: SeededHome, many: SeededHome, arguments: list[str]) -> None:
    costs = []
    for home in (few, many):
        # The first one builds the index.
        home.statements("search", *arguments)
        costs.append([each for each in home.statements("search", *arguments) if not is_within_the_index(each)])
    assert [statement.sql for statement in costs[0]] == [statement.sql for statement in costs[1]]
    for small, large in zip(*costs, strict=True):
        assert large.scanned <= small.scanned, large
        assert large.steps <= small.steps * 1.2 + 20, large


def is_within_the_index(statement: Statement) -> bool:
    """Return whether it is one of FTS5's own, whose number depends on the segments of the index."""
    return ".'words_" in statement.sql


MESSAGE = {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": "x" * 900}]}}
TOOL_CALL = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "make"}}
TOOL_RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "made"}


@dataclass
class Recording:
    """A recorder, its journal, and the statements that it runs."""

    journal: Path
    recorder: Ingester
    statements: list[str]

    def record(self, *lines: dict[str, Any]) -> list[str]:
        """Record these lines. Return the first two words of each statement."""
        self.statements.clear()
        with self.journal.open("ab") as journal:
            journal.writelines(json.dumps(line).encode() + b"\n" for line in lines)
        self.recorder.catch_up()
        return [" ".join(sql.split()[:2]) for sql in self.statements]


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    state = StateDirectory(tmp_path)
    (session_id,) = seed_sessions(tmp_path, 1, 1)
    files = state.session(session_id)
    files.directory.mkdir(parents=True)
    ensure_exists(files.journal)
    statements: list[str] = []
    with open_database(state):
        session = sessions.get(session_id)
        assert session is not None
        with closing(Ingester(session, files)) as recorder:
            current_connection().trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: statements.append(event["sql"]))
            yield Recording(files.journal, recorder, statements)


def test_line_is_one_transaction_with_one_statement_per_table(recording: Recording) -> None:
    recording.record(MESSAGE)
    statements = ["INSERT INTO", "INSERT INTO", "UPDATE sessions"]
    assert recording.record(MESSAGE) == ["BEGIN IMMEDIATE", *statements, "COMMIT"]
    assert recording.record({"type": "system", "subtype": "status"}) == ["BEGIN IMMEDIATE", "UPDATE sessions", "COMMIT"]


def test_statements_are_not_replanned_for_new_values(recording: Recording) -> None:
    planned: list[str] = []

    def authorize(*action: object) -> int:
        """Allow everything. SQLite calls this when it plans a statement, and never when it runs one."""
        planned.append(str(action))
        return apsw.SQLITE_OK

    current_connection().authorizer = authorize
    lines = [{**MESSAGE, "timestamp": f"2026-11-22T19:51:{second}Z"} for second in range(10, 15)]
    for line in lines[:-1]:
        recording.record(line)
    assert planned
    planned.clear()
    recording.record(lines[-1])
    assert planned == []


def test_tool_call_and_result_take_one_lookup_each(recording: Recording) -> None:
    call = {"type": "assistant", "message": {"role": "assistant", "content": [TOOL_CALL]}}
    answer = {"type": "user", "message": {"role": "user", "content": [TOOL_RESULT]}}
    assert "SELECT id," in recording.record(call)
    assert len(recording.record(answer)) == 6


def test_line_updates_only_changed_columns(recording: Recording) -> None:
    recording.record(MESSAGE)
    recording.record(MESSAGE)
    (update,) = (sql for sql in recording.statements if sql.startswith("UPDATE sessions"))
    assert set(update.split(" SET ")[1].split(" WHERE")[0].split(", ")) <= {
        *("last_activity_at = ?", "journal_offset = ?", "fold_state = ?")
    }


def test_burst_commits_hundreds_of_lines_at_once(recording: Recording) -> None:
    statements = recording.record(*[MESSAGE] * 2000)
    batches = 2000 * (len(json.dumps(MESSAGE)) + 1) // CHUNK_BYTES + 1
    assert 1 < batches <= 20
    assert statements.count("COMMIT") == batches
    # One insertion for each line, and four statements for each batch.
    assert len(statements) == 2000 + 4 * batches
