"""What nothing of this kind can do without, alone."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import stream
from benchmarks.figure import Figure
from benchmarks.place import Place
from benchmarks.samples import Samples
from benchmarks.timing import Command
from tests.helpers.sandbox import Sandbox

_TIMES = 11
_RATES = 3
TRIVIAL = "a trivial typer and peewee command"


def measure(place: Place) -> Iterator[Figure]:
    with place.empty() as sandbox:
        bare = Command([sys.executable, "-c", "pass"], sandbox.environment, sandbox.work)
        for name, command in (("python -c pass", bare), (TRIVIAL, trivial(sandbox))):
            command.run()
            yield Figure(name, Samples(name, "ms", tuple(command.wall_ms() for _ in range(_TIMES))))
        yield Figure(
            "raw inserts",
            Samples("json.loads and two inserts", "lines/s", tuple(inserts(sandbox) for _ in range(_RATES))),
        )


def trivial(sandbox: Sandbox) -> Command:
    """The trivial command, with a database of one row for it."""
    path = sandbox.root / "trivial.db"
    if not path.exists():
        database = sqlite3.connect(path)
        with database:
            database.execute("CREATE TABLE session (id TEXT PRIMARY KEY, title TEXT NOT NULL)")
            database.execute("INSERT INTO session VALUES ('1', 'Mend the parser')")
        database.close()
    program = Path(__file__).parent / "floor" / "trivial.py"
    return Command([sys.executable, program, path], sandbox.environment, sandbox.work)


def inserts(sandbox: Sandbox) -> float:
    """Lines of a burst that the least recorder records a second."""
    lines, database = sandbox.root / "lines", sandbox.root / "inserts.db"
    if not lines.exists():
        stream.write_burst(lines)
    program = Path(__file__).parent / "floor" / "inserts.py"
    rate = float(Command([sys.executable, program, lines, database], sandbox.environment, sandbox.work).run().output)
    database.unlink()
    return rate
