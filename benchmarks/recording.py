"""Bursts: more at once than Claude Code ever writes; from the first line to the last event committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import apsw

from benchmarks import stream
from benchmarks.baselines import measure_insert_rate
from benchmarks.metric import Metric
from benchmarks.resource_usage import read_usage
from benchmarks.samples import Samples
from benchmarks.timing import NotMeasured
from benchmarks.workspace import Workspace
from tests.helpers.sandbox import Sandbox

_PAIRS = 3
_AT_ONCE = 10
_LOOK_SECONDS = 0.005
_PATIENCE = 240.0
_SETTLED = "SELECT id, supervisor_pid, journal_offset FROM sessions WHERE id IN ({})"
_EXPECTED = stream.BURST + 1
"""The user's query is an event, too."""


@dataclass(frozen=True)
class _Burst:
    lines_a_second: float
    cpu_ms_a_line: float
    """Of the supervisors, together."""
    events_lost: int
    kb_an_event: float
    """Journal and database after the session's end, beyond what was there before."""


def measure(place: Workspace) -> Iterator[Metric]:
    years = place.of_years()
    rounds = [(_in_empty_home(place), _burst(years, 1), measure_insert_rate(years)) for _ in range(_PAIRS)]
    empty, full = [one for one, _, _ in rounds], [one for _, one, _ in rounds]
    floor = Samples("json.loads and two inserts", "lines/s", tuple(rate for _, _, rate in rounds))
    small = _rates("50,000 lines of 1 kB", empty)
    yield Metric("a burst, empty database", small, floor, paired=True)
    yield Metric(
        "a burst, 2,000,000 events there", _rates(small.name, full), _rates("empty database", empty), paired=True
    )
    yield Metric("a burst, processor", Samples("supervisor", "ms/line", tuple(burst.cpu_ms_a_line for burst in empty)))
    grown = Samples("journal and database", "kB", tuple(burst.kb_an_event for burst in empty))
    yield Metric("state directory, an event", grown, note="of 1 kB")
    ten = _in_empty_home(place, _AT_ONCE)
    yield Metric("ten bursts at once", _rates("500,000 lines of 1 kB in all", [ten]))
    yield Metric("ten bursts at once, events lost", Samples("of 500,010", "events", (float(ten.events_lost),)))


def _rates(name: str, bursts: Sequence[_Burst]) -> Samples:
    for burst in bursts:
        if burst.events_lost:
            name += f" ({burst.events_lost} events lost)"
    return Samples(name, "lines/s", tuple(burst.lines_a_second for burst in bursts))


def _in_empty_home(place: Workspace, sessions: int = 1) -> _Burst:
    with place.empty() as sandbox:
        return _burst(sandbox, sessions)


def _burst(sandbox: Sandbox, sessions: int) -> _Burst:
    sandbox.run("ls", "-q")
    begun = stream.install_burst_writer(sandbox)
    begun.unlink(missing_ok=True)
    before = _bytes(sandbox)
    launches = [sandbox.popen("launch", f"Write {number}", "--quiet") for number in range(sessions)]
    ids = [launch.communicate()[0].strip() for launch in launches]
    with closing(apsw.Connection(str(sandbox.state.database), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        database.set_busy_timeout(1000)
        ended, cpu_seconds = _until_recorded(database, ids)
    seconds = ended - min(map(int, begun.read_text().split())) / 1e9
    for session_id in ids:
        sandbox.run("wait", session_id)
    events = sandbox.sql(f"SELECT count(*) FROM conversation_events WHERE session_id IN ({_marks(ids)})", *ids)[0][0]
    lines = stream.BURST * sessions
    return _Burst(
        lines_a_second=lines / seconds,
        cpu_ms_a_line=cpu_seconds * 1000 / lines,
        events_lost=_EXPECTED * sessions - events,
        kb_an_event=(_bytes(sandbox) - before) / 1000 / lines,
    )


def _until_recorded(database: apsw.Connection, ids: Sequence[str]) -> tuple[float, float]:
    """When all lines of all bursts were committed, and the processor time that the supervisors have used by then."""
    statement, written = _SETTLED.format(_marks(ids)), stream.burst_bytes()
    used: dict[int, float] = {}
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        rows = list(database.execute(statement, ids))
        now = time.time()
        for _, pid, _ in rows:
            if pid:
                used[pid] = _cpu_seconds(pid, used.get(pid, 0.0))
        if rows and all(offset >= written for _, _, offset in rows):
            return now, sum(used.values())
        time.sleep(_LOOK_SECONDS)
    raise NotMeasured(f"a burst is not recorded after {_PATIENCE:.0f} s")


def _cpu_seconds(pid: int, known: float) -> float:
    """One that has ended meanwhile has used what was seen last."""
    try:
        return read_usage(pid).cpu_seconds
    except (NotMeasured, OSError):
        return known


def _bytes(sandbox: Sandbox) -> int:
    return sum(path.stat().st_size for path in sandbox.state.root.rglob("*") if path.is_file())


def _marks(ids: Sequence[str]) -> str:
    return ", ".join("?" for _ in ids)
