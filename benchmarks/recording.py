"""Bursts of more lines than Claude Code ever writes at once: time from the first line to the last commit."""

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
_CONCURRENT = 10
_POLL_SECONDS = 0.005
_TIMEOUT = 240.0
_PROGRESS = "SELECT id, supervisor_pid, journal_offset FROM sessions WHERE id IN ({})"
# One event for each line, and one for the prompt.
_EXPECTED_EVENTS = stream.BURST + 1


@dataclass(frozen=True)
class _Burst:
    lines_per_second: float
    cpu_ms_per_line: float
    """Processor time of all supervisors together."""
    events_lost: int
    kb_per_event: float
    """Growth of the state directory (journal and database) after the session has ended."""


def measure(workspace: Workspace) -> Iterator[Metric]:
    large = workspace.large_home()
    rounds = [
        (_burst_in_empty_home(workspace), _run_burst(large, 1), measure_insert_rate(large)) for _ in range(_PAIRS)
    ]
    empty, full = [burst for burst, _, _ in rounds], [burst for _, burst, _ in rounds]
    baseline = Samples("json.loads and two inserts", "lines/s", tuple(rate for _, _, rate in rounds))
    small = _rates("50,000 lines of 1 kB", empty)
    yield Metric("a burst, empty database", small, baseline, paired=True)
    yield Metric(
        "a burst, 2,000,000 events there", _rates(small.name, full), _rates("empty database", empty), paired=True
    )
    yield Metric(
        "a burst, processor", Samples("supervisor", "ms/line", tuple(burst.cpu_ms_per_line for burst in empty))
    )
    growth = Samples("journal and database", "kB", tuple(burst.kb_per_event for burst in empty))
    yield Metric("state directory, an event", growth, note="of 1 kB")
    ten = _burst_in_empty_home(workspace, _CONCURRENT)
    yield Metric("ten bursts at once", _rates("500,000 lines of 1 kB in all", [ten]))
    yield Metric("ten bursts at once, events lost", Samples("of 500,010", "events", (float(ten.events_lost),)))


def _rates(name: str, bursts: Sequence[_Burst]) -> Samples:
    for burst in bursts:
        if burst.events_lost:
            name += f" ({burst.events_lost} events lost)"
    return Samples(name, "lines/s", tuple(burst.lines_per_second for burst in bursts))


def _burst_in_empty_home(workspace: Workspace, sessions: int = 1) -> _Burst:
    with workspace.empty_home() as sandbox:
        return _run_burst(sandbox, sessions)


def _run_burst(sandbox: Sandbox, sessions: int) -> _Burst:
    sandbox.run("ls", "-q")
    start_times = stream.install_burst_writer(sandbox)
    start_times.unlink(missing_ok=True)
    bytes_before = _state_bytes(sandbox)
    launches = [sandbox.popen("launch", f"Write {number}", "--quiet") for number in range(sessions)]
    ids = [launch.communicate()[0].strip() for launch in launches]
    with closing(apsw.Connection(str(sandbox.state.database), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        database.set_busy_timeout(1000)
        ended, cpu_seconds = _wait_until_recorded(database, ids)
    seconds = ended - min(map(int, start_times.read_text().split())) / 1e9
    for session_id in ids:
        sandbox.run("wait", session_id)
    events = sandbox.sql(f"SELECT count(*) FROM conversation_events WHERE session_id IN ({_placeholders(ids)})", *ids)[
        0
    ][0]
    lines = stream.BURST * sessions
    return _Burst(
        lines_per_second=lines / seconds,
        cpu_ms_per_line=cpu_seconds * 1000 / lines,
        events_lost=_EXPECTED_EVENTS * sessions - events,
        kb_per_event=(_state_bytes(sandbox) - bytes_before) / 1000 / lines,
    )


def _wait_until_recorded(database: apsw.Connection, ids: Sequence[str]) -> tuple[float, float]:
    """Return when all lines of all bursts were committed, and the processor seconds of the supervisors by then.

    Raise NotMeasured if this takes longer than `_TIMEOUT` seconds.
    """
    statement, journal_bytes = _PROGRESS.format(_placeholders(ids)), stream.burst_bytes()
    cpu_seconds: dict[int, float] = {}
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline:
        rows = list(database.execute(statement, ids))
        now = time.time()
        for _, pid, _ in rows:
            if pid:
                cpu_seconds[pid] = _cpu_seconds(pid, cpu_seconds.get(pid, 0.0))
        if rows and all(offset >= journal_bytes for _, _, offset in rows):
            return now, sum(cpu_seconds.values())
        time.sleep(_POLL_SECONDS)
    raise NotMeasured(f"a burst was not recorded within {_TIMEOUT:.0f} s")


def _cpu_seconds(pid: int, last_value: float) -> float:
    """Return the processor seconds of the process, or the last value if it has ended."""
    try:
        return read_usage(pid).cpu_seconds
    except (NotMeasured, OSError):
        return last_value


def _state_bytes(sandbox: Sandbox) -> int:
    return sum(path.stat().st_size for path in sandbox.state.root.rglob("*") if path.is_file())


def _placeholders(ids: Sequence[str]) -> str:
    return ", ".join("?" for _ in ids)
