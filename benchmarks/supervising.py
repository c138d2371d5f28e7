"""Resources that a supervisor and a follower use while idle, and at a realistic rate of lines."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks import stream
from benchmarks.metric import Metric
from benchmarks.resource_usage import ResourceUsage, memory_mb, read_usage
from benchmarks.samples import Samples
from benchmarks.workspace import Workspace, hldctl_command
from tests.helpers.sandbox import Sandbox, eventually

_BURSTS = 2
_SILENCE_SECONDS = 10.0
_SETTLING_SECONDS = 1.0
_SILENT = "print(json.dumps({'type': 'system', 'subtype': 'init', 'session_id': 's'}), flush=True); time.sleep(600)"
_BASELINES = {"python -c pass": "", "python with apsw and json": "import apsw, json"}


def measure(workspace: Workspace) -> Iterator[Metric]:
    with workspace.empty_home() as sandbox:
        for name, imports in _BASELINES.items():
            yield Metric(f"memory, {name}", Samples("alone", "MB", (_python_memory_mb(sandbox, imports),)))
    with workspace.empty_home() as sandbox:
        idle = Samples("supervisor", "MB", (memory_mb(silent_supervisor(sandbox)),))
        yield Metric("memory, idle", idle)
    with workspace.empty_home() as sandbox:
        later = Samples("supervisor", "MB", (memory_mb(_supervisor_after_bursts(sandbox)),))
        yield Metric("memory, after 100,000 events", later, Samples("idle", "MB", idle.values))
    with workspace.empty_home() as sandbox:
        yield from _measure_silence(sandbox)
    with workspace.empty_home() as sandbox:
        yield Metric("processor, a line at 20/s", Samples("supervisor", "ms/line", (_cpu_ms_per_line(sandbox),)))


def _python_memory_mb(sandbox: Sandbox, imports: str) -> float:
    code = f"{imports}\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], env=sandbox.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        megabytes = memory_mb(process.pid)
        process.kill()
    return megabytes


def silent_supervisor(sandbox: Sandbox) -> int:
    sandbox.fake_claude(_SILENT)
    session_id = sandbox.launch("Be silent")
    sandbox.wait_for_journal(session_id, "init")
    time.sleep(_SETTLING_SECONDS)
    return _supervisor_pid(sandbox, session_id)


def _supervisor_after_bursts(sandbox: Sandbox) -> int:
    stream.install_burst_writer(sandbox, files=_BURSTS, stay_alive=True)
    session_id = sandbox.launch("Write")
    last_sequence = "SELECT max(sequence) FROM conversation_events WHERE session_id = ?"
    expected = _BURSTS * stream.BURST
    eventually(lambda: sandbox.sql(last_sequence, session_id)[0][0] > expected, "all events to be recorded")
    time.sleep(_SETTLING_SECONDS)
    return _supervisor_pid(sandbox, session_id)


def _measure_silence(sandbox: Sandbox) -> Iterator[Metric]:
    sandbox.fake_claude(_SILENT)
    session_id = sandbox.launch("Be silent")
    command = [str(word) for word in hldctl_command(sandbox, "tail", "-f", session_id).argv]
    with subprocess.Popen(command, env=sandbox.environment, stdout=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        follower.stdout.readline()
        time.sleep(_SETTLING_SECONDS)
        pids = {"supervisor": _supervisor_pid(sandbox, session_id), "tail -f": follower.pid}
        before = {name: read_usage(pid) for name, pid in pids.items()}
        time.sleep(_SILENCE_SECONDS)
        after = {name: read_usage(pid) for name, pid in pids.items()}
        follower.kill()
    for name in pids:
        yield from _usage_metrics(name, before[name], after[name])


def _usage_metrics(name: str, before: ResourceUsage, after: ResourceUsage) -> Iterator[Metric]:
    wakeups = (after.wakeups - before.wakeups) / _SILENCE_SECONDS
    cpu = (after.cpu_seconds - before.cpu_seconds) * 1000 / _SILENCE_SECONDS
    yield Metric(f"{name} of a silent session, wake-ups", Samples(name, "/s", (wakeups,)))
    yield Metric(f"{name} of a silent session, processor", Samples(name, "ms/s", (cpu,)))


def _cpu_ms_per_line(sandbox: Sandbox) -> float:
    lines = int(_SILENCE_SECONDS) * stream.LINES_PER_SECOND
    _, go = stream.install_steady_writer(sandbox, lines)
    session_id = sandbox.launch("Write")
    sandbox.wait_for_journal(session_id, "ready")
    time.sleep(_SETTLING_SECONDS)
    pid = _supervisor_pid(sandbox, session_id)
    before = read_usage(pid).cpu_seconds
    go.touch()
    count = "SELECT count(*) FROM conversation_events WHERE session_id = ?"
    time.sleep(_SILENCE_SECONDS)
    # The prompt and "ready" are two more events.
    eventually(lambda: sandbox.sql(count, session_id)[0][0] == lines + 2, "all lines to be recorded")
    return (read_usage(pid).cpu_seconds - before) * 1000 / lines


def _supervisor_pid(sandbox: Sandbox, session_id: str) -> int:
    return int(sandbox.show(session_id)["supervisor_pid"])
