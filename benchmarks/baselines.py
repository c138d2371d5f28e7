"""The baselines by themselves: an empty Python, a trivial command, and plain inserts."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import stream
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import Command
from benchmarks.workspace import Workspace
from tests.helpers.sandbox import Sandbox

_TIMES = 11
_RATES = 3
TRIVIAL_NAME = "a trivial typer and peewee command"


def measure(workspace: Workspace) -> Iterator[Metric]:
    with workspace.empty_home() as sandbox:
        bare = Command([sys.executable, "-c", "pass"], sandbox.environment, sandbox.work)
        for name, command in (("python -c pass", bare), (TRIVIAL_NAME, trivial_command(sandbox))):
            command.run()
            yield Metric(name, Samples(name, "ms", tuple(command.wall_ms() for _ in range(_TIMES))))
        yield Metric(
            "raw inserts",
            Samples(
                "json.loads and two inserts", "lines/s", tuple(measure_insert_rate(sandbox) for _ in range(_RATES))
            ),
        )


def trivial_command(sandbox: Sandbox) -> Command:
    """Return the trivial command; create its database, with one row, if necessary."""
    path = sandbox.root / "trivial.db"
    if not path.exists():
        database = sqlite3.connect(path)
        with database:
            database.execute("CREATE TABLE session (id TEXT PRIMARY KEY, title TEXT NOT NULL)")
            database.execute("INSERT INTO session VALUES ('1', 'Fix the parser')")
        database.close()
    program = Path(__file__).parent / "baseline" / "trivial.py"
    return Command([sys.executable, program, path], sandbox.environment, sandbox.work)


def measure_insert_rate(sandbox: Sandbox) -> float:
    """Return how many lines of a burst the minimal recorder writes per second."""
    lines, database = sandbox.root / "lines", sandbox.root / "inserts.db"
    if not lines.exists():
        stream.write_burst(lines)
    program = Path(__file__).parent / "baseline" / "inserts.py"
    rate = float(Command([sys.executable, program, lines, database], sandbox.environment, sandbox.work).run().output)
    database.unlink()
    return rate
