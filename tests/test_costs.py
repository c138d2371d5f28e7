"""What commands cost, counted rather than timed: the steps of SQLite's machine, statement by statement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.filling import fill

_FEW, _MANY = 60, 1200
_EVENTS = 40

_TRACED = """
import json, sys, apsw
told = []
def tell(event):
    status = event["stmt_status"]
    told.append((event["sql"], status["SQLITE_STMTSTATUS_VM_STEP"], status["SQLITE_STMTSTATUS_FULLSCAN_STEP"]))
apsw.connection_hooks.append(lambda made: made.trace_v2(apsw.SQLITE_TRACE_PROFILE, tell))
from hldctl.cli.app import main
try:
    main(sys.argv[1:])
finally:
    print(json.dumps(told), file=sys.stderr)
"""


@dataclass(frozen=True)
class Statement:
    sql: str
    steps: int
    """Of SQLite's virtual machine: whatever looks at each row of a table takes as many as it has rows."""
    scanned: int
    """Rows looked at without an index."""


@dataclass(frozen=True)
class Filled:
    home: Path
    ids: list[str]

    def statements(self, *words: str) -> list[Statement]:
        done = subprocess.run(
            [sys.executable, "-c", _TRACED, *words],
            env={"HLDCTL_HOME": str(self.home), "HOME": str(self.home), "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        told = json.loads(done.stderr.splitlines()[-1])
        assert done.returncode == 0, done.stderr
        return [Statement(*each) for each in told]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    home = tmp_path_factory.mktemp("few")
    return Filled(home, fill(home, _FEW, _EVENTS))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    home = tmp_path_factory.mktemp("many")
    return Filled(home, fill(home, _MANY, _EVENTS))


READING = [
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
"""All but sums, searches for text and orders that no index keeps: they are about all rows."""


@pytest.mark.parametrize("command", READING)
def test_a_command_does_as_much_with_many_sessions_as_with_few(few: Filled, many: Filled, command: str) -> None:
    costs = []
    for filled in (few, many):
        words = command.replace("ID", filled.ids[-1]).split()
        costs.append(filled.statements(*words))
    assert [statement.sql for statement in costs[0]] == [statement.sql for statement in costs[1]]
    for small, large in zip(*costs, strict=True):
        assert large.scanned <= small.scanned, large
        # What is found is the same; a tree of more rows is a little deeper.
        assert large.steps <= small.steps * 1.2 + 20, large
