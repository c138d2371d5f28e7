"""Several machines and their record: how late a line is elsewhere, and what the link, the record and the lists cost.

The server is on this machine and does not wait for its disk.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks import stream
from benchmarks.following import start_followers
from benchmarks.metric import Metric
from benchmarks.resource_usage import memory_mb, read_usage
from benchmarks.samples import Samples
from benchmarks.supervising import silent_supervisor
from benchmarks.timing import run_in_turn
from benchmarks.workspace import Workspace, hldctl_command
from hldctl.config.fleet import Share
from hldctl.protocol.link import reached_id
from tests.helpers.postgres import Record, Server, fresh_record, running_server
from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.seed_database import seed_sessions

_SECONDS = 20
_RATES = (10, 100)
_SESSIONS, _EVENTS = 1000, 100
_RECORDED_SESSIONS = 1_000_000
_TIMES = 21
# The rows of one session, again and again, each a minute older.
_MULTIPLY = """
INSERT INTO hldctl.sessions (id, machine_id, created_at, last_activity_at, completed_at, started_at, duration_ms,
    status, end_reason, summary, query, working_dir, model, archived, num_turns, cost_usd, input_tokens, output_tokens,
    "row", texts)
SELECT gen_random_uuid(), machine_id, created_at - n * 60000, last_activity_at - n * 60000, completed_at - n * 60000,
    started_at, duration_ms, status, end_reason, summary, query, working_dir, model, archived, num_turns, cost_usd,
    input_tokens, output_tokens, "row", texts
FROM (SELECT * FROM hldctl.sessions ORDER BY created_at LIMIT 1) AS oldest, generate_series(1::bigint, %s) AS n
"""
_EVENT_BYTES = """
SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'hldctl.events'::regclass
"""
_SESSION_BYTES = "SELECT pg_total_relation_size('hldctl.sessions') + pg_total_relation_size('hldctl.changes')"


def measure(workspace: Workspace) -> Iterator[Metric]:
    with running_server() as server:
        with workspace.empty_home() as here, workspace.empty_home() as there, fresh_record(server) as record:
            yield from _measure_following(here, there, record)
        for rate in _RATES:
            with workspace.empty_home() as sandbox, fresh_record(server) as record:
                value = _link_ms_per_event(sandbox, record, rate)
                yield Metric(f"link, an event at {rate}/s", Samples("processor", "ms", (value,)))
        with workspace.empty_home() as sandbox, fresh_record(server) as record:
            yield from _measure_catching_up(sandbox, record)
        for share in Share:
            with workspace.empty_home() as sandbox, fresh_record(server) as record:
                yield from _measure_size(sandbox, record, share)
        yield from _measure_launch(workspace, server)
        with workspace.small_home() as sandbox, fresh_record(server) as record:
            yield _measure_listing(sandbox, record)


def _measure_following(here: Sandbox, there: Sandbox, record: Record) -> Iterator[Metric]:
    """Measure the time from the writing of a line on one machine until `tail -f` prints it on another."""
    lines = _SECONDS * stream.LINES_PER_SECOND
    for machine in (here, there):
        machine.ok("fleet", "join", record.url)
    _, go = stream.install_steady_writer(here, lines)
    session_id = here.launch("Write")
    eventually(lambda: there.run("show", session_id).returncode == 0, "the session in the record")
    command = [str(word) for word in hldctl_command(there, "tail", "-f", session_id).argv]
    with start_followers(there, [command]) as followers:
        followers.wait_until_ready()
        go.touch()
        latencies = followers.latencies(lines)
        memory = memory_mb(_link(here).pid)
        stream.end_signal(go).touch()
    yield Metric("a line, from A to B", Samples("line to line", "ms", latencies))
    yield Metric("link, memory", Samples("while lines come", "MB", (memory,)))


def _link_ms_per_event(sandbox: Sandbox, record: Record, rate: int) -> float:
    """Return the link's processor time for an event, in milliseconds, at this rate."""
    lines = _SECONDS * rate
    sandbox.ok("fleet", "join", record.url)
    _, go = stream.install_steady_writer(sandbox, lines, rate)
    session_id = sandbox.launch("Write")
    eventually(lambda: _count_events(record) >= 2, "the first events")
    link = _link(sandbox)
    before = read_usage(link.pid).cpu_seconds
    go.touch()
    time.sleep(_SECONDS)
    # The prompt and "ready" are two more events.
    eventually(lambda: _count_events(record) == lines + 2, "all lines in the record")
    spent = read_usage(link.pid).cpu_seconds - before
    stream.end_signal(go).touch()
    sandbox.wait_for_end(session_id)
    return spent * 1000 / lines


def _measure_catching_up(sandbox: Sandbox, record: Record) -> Iterator[Metric]:
    """Measure how fast a link sends what it missed, with the start of its process."""
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not _links(sandbox), "the link to end")
    seed_sessions(sandbox.state.root, _SESSIONS, _EVENTS)
    rows = _SESSIONS * _EVENTS
    peaks = []
    sandbox.ok("ls", "-q")
    link = _link(sandbox)

    def has_all() -> bool:
        peaks.append(_peak_mb(link.pid))
        return reached_id(sandbox.state) == rows

    eventually(has_all, "all in the record")
    seconds = time.time() - link.create_time()
    yield Metric("catching up", Samples("with the start of the link", "rows/s", (rows / seconds,)))
    yield Metric("link, peak memory while it catches up", Samples("resident", "MB", (max(peaks),)))


def _measure_size(sandbox: Sandbox, record: Record, share: Share) -> Iterator[Metric]:
    sandbox.ok("fleet", "join", record.url)
    sandbox.ok("config", "set", "fleet.share", str(share))
    eventually(lambda: not _links(sandbox), "the link to end")
    seed_sessions(sandbox.state.root, _SESSIONS, _EVENTS)
    sandbox.ok("ls", "-q")
    eventually(lambda: reached_id(sandbox.state) == _SESSIONS * _EVENTS, "all in the record")
    if share is not Share.STATUS:
        ((size,),) = record.rows(_EVENT_BYTES)
        value = Samples("with its index", "kB", (size / _count_events(record) / 1000,))
        yield Metric(f"record, an event with share = {share}", value)
    ((size,),) = record.rows(_SESSION_BYTES)
    yield Metric(f"record, a session with share = {share}", Samples("with indexes", "kB", (size / _SESSIONS / 1000,)))


def _measure_launch(workspace: Workspace, server: Server) -> Iterator[Metric]:
    with workspace.small_home() as alone, workspace.small_home() as joined, fresh_record(server) as record:
        joined.ok("fleet", "join", record.url)
        memory = {machine.root: memory_mb(silent_supervisor(machine)) for machine in (joined, alone)}
        pair = (Samples("in a fleet", "MB", (memory[joined.root],)), Samples("alone", "MB", (memory[alone.root],)))
        yield Metric("supervisor's memory, joined", *pair)
        with_link, without = run_in_turn(
            hldctl_command(joined, "launch", "Go").wall_ms, hldctl_command(alone, "launch", "Go").wall_ms, _TIMES
        )
        pair = (Samples("in a fleet", "ms", with_link), Samples("alone", "ms", without))
        yield Metric("launch, joined", *pair, paired=True)


def _measure_listing(sandbox: Sandbox, record: Record) -> Metric:
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: _count_events(record) == 2000 and not _links(sandbox), "all in the record")
    record.rows(_MULTIPLY, _RECORDED_SESSIONS)
    record.rows("VACUUM ANALYZE hldctl.sessions")
    fleet, here = hldctl_command(sandbox, "ls", "--fleet"), hldctl_command(sandbox, "ls")
    ours, against = run_in_turn(fleet.wall_ms, here.wall_ms, _TIMES)
    name = f"hldctl ls --fleet, {_RECORDED_SESSIONS:,} sessions"
    return Metric("ls --fleet", Samples(name, "ms", ours), Samples("hldctl ls", "ms", against), paired=True)


def _count_events(record: Record) -> int:
    return int(record.rows("SELECT count(*) FROM hldctl.events")[0][0])


def _links(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes_with_argument("hldctl.fleet.link")


def _link(sandbox: Sandbox) -> psutil.Process:
    return eventually(lambda: _links(sandbox), "the link")[0]


def _peak_mb(pid: int) -> float:
    """Return the most resident memory that a process has had, in millions of bytes; 0 if it is gone."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 / 1e6 if found else 0.0
    return 0.0
