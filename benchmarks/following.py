"""Latency from the writing of a line until `tail -f` prints it."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import stream
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import NotMeasured
from benchmarks.workspace import Workspace, hldctl_command
from tests.helpers.sandbox import Sandbox

_SECONDS = 20
_BASELINE_SECONDS = 10
# About the processor time that supervisor and follower need for a line.
_WORK_SECONDS = 0.0015
_READ_TIMEOUT = 30.0
_CHUNK = 1 << 16
_WRITTEN_AT_NS = re.compile(rb"@(\d+)@")


def measure(workspace: Workspace) -> Iterator[Metric]:
    baseline = _measure_coreutils(workspace, 1)
    yield Metric("the machine alone", _measure_machine())
    for arguments in (("tail", "-f"), ("tail", "-f", "--json")):
        yield _metric(f"1 session, {' '.join(arguments)}", _measure_hldctl(workspace, 1, arguments), baseline)
    ours, baseline = _measure_hldctl(workspace, 20, ("tail", "-f")), _measure_coreutils(workspace, 20)
    yield _metric("20 sessions, tail -f", ours, baseline)


def _metric(name: str, ours: tuple[float, ...], baseline: tuple[float, ...]) -> Metric:
    return Metric(name, Samples("line to line", "ms", ours), Samples("tail -f of coreutils", "ms", baseline))


def _measure_hldctl(workspace: Workspace, sessions: int, arguments: Sequence[str]) -> tuple[float, ...]:
    """Return the latency of each line in milliseconds, for N sessions at once with one follower each."""
    lines = _SECONDS * stream.LINES_PER_SECOND
    with workspace.empty_home() as sandbox:
        _, go = stream.install_steady_writer(sandbox, lines)
        ids = [
            sandbox.launch("Write", "-C", str(_directory(sandbox, number)), "--create-dir")
            for number in range(sessions)
        ]
        commands = [[str(word) for word in hldctl_command(sandbox, *arguments, session_id).argv] for session_id in ids]
        with start_followers(sandbox, commands) as followers:
            followers.wait_until_ready()
            go.touch()
            latencies = followers.latencies(lines)
            stream.end_signal(go).touch()
    return latencies


def _measure_coreutils(workspace: Workspace, files: int) -> tuple[float, ...]:
    """Return the latencies in milliseconds of `tail -f` on files that the same writers write directly."""
    lines = _BASELINE_SECONDS * stream.LINES_PER_SECOND
    with workspace.empty_home() as sandbox:
        writer, go = stream.install_steady_writer(sandbox, lines)
        paths = [sandbox.work / f"{number}" for number in range(files)]
        writers = [_start_writer([str(writer)], path, sandbox) for path in paths]
        with start_followers(sandbox, [["tail", "-n", "+1", "-f", str(path)] for path in paths]) as followers:
            followers.wait_until_ready()
            go.touch()
            latencies = followers.latencies(lines)
            stream.end_signal(go).touch()
        for process in writers:
            process.wait()
    return latencies


def _measure_machine() -> Samples:
    """Return the latencies of a process that asks to be woken at a given time and then works: what the machine adds."""
    latencies: list[float] = []
    due = time.monotonic()
    for _ in range(_SECONDS * stream.LINES_PER_SECOND):
        due += 1 / stream.LINES_PER_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        started = time.thread_time()
        while time.thread_time() - started < _WORK_SECONDS:
            pass
        latencies.append((time.monotonic() - due) * 1000)
    work = f"{_WORK_SECONDS * 1000:.1f} ms of work, {stream.LINES_PER_SECOND} times a second"
    return Samples(work, "ms", tuple(latencies))


def _start_writer(command: Sequence[str], path: Path, sandbox: Sandbox) -> subprocess.Popen[bytes]:
    with path.open("w") as file:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, env=sandbox.environment)


def _directory(sandbox: Sandbox, number: int) -> Path:
    return sandbox.work / f"{number}"


@dataclass
class Followers:
    """Several followers, with their output and the time at which each line of it arrives."""

    processes: Sequence[subprocess.Popen[bytes]]
    _partial_lines: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        for process in self.processes:
            assert process.stdout is not None
            self._selector.register(process.stdout, selectors.EVENT_READ)

    def wait_until_ready(self) -> None:
        """Wait until each follower has printed the line "ready". Raise NotMeasured if one prints nothing."""
        pending = {process.stdout.fileno() for process in self.processes if process.stdout}
        for descriptor, _, lines in self._read():
            if b"ready" in lines:
                pending.discard(descriptor)
            if not pending:
                return
        raise NotMeasured(f"{len(pending)} of {len(self.processes)} followers print nothing")

    def latencies(self, lines: int) -> tuple[float, ...]:
        """Return the latency of each line in milliseconds. Raise NotMeasured if lines are missing."""
        latencies: list[float] = []
        expected = lines * len(self.processes)
        for _, arrived_ns, text in self._read():
            latencies.extend((arrived_ns - int(written_ns)) / 1e6 for written_ns in _WRITTEN_AT_NS.findall(text))
            if len(latencies) == expected:
                return tuple(latencies)
        raise NotMeasured(f"only {len(latencies)} of {expected} lines were printed")

    def close(self) -> None:
        self._selector.close()
        for process in self.processes:
            process.kill()
            process.communicate()

    def _read(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield complete lines with their file descriptor and arrival time (ns); end at a timeout or at end of file."""
        while ready := self._selector.select(_READ_TIMEOUT):
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                arrived_ns = time.monotonic_ns()
                if not chunk:
                    self._selector.unregister(key.fileobj)
                    continue
                lines, newline, rest = (self._partial_lines.get(key.fd, b"") + chunk).rpartition(b"\n")
                self._partial_lines[key.fd] = rest
                if newline:
                    yield key.fd, arrived_ns, lines
            if not self._selector.get_map():
                return


@contextmanager
def start_followers(sandbox: Sandbox, commands: Sequence[Sequence[str]]) -> Iterator[Followers]:
    processes = [
        subprocess.Popen(
            command, env=sandbox.environment, cwd=sandbox.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        for command in commands
    ]
    followers = Followers(processes)
    try:
        yield followers
    finally:
        followers.close()
