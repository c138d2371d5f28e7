"""From the moment a line is written to the moment it comes out of `tail -f`."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
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
_FLOOR_SECONDS = 10
_WORK_SECONDS = 0.0015
"""About what supervisor and follower take for a line."""
_PATIENCE = 30.0
_CHUNK = 1 << 16
_MOMENT = re.compile(rb"@(\d+)@")


def measure(place: Workspace) -> Iterator[Metric]:
    floor = _by_coreutils(place, 1)
    yield Metric("the machine alone", _by_a_clock())
    for words in (("tail", "-f"), ("tail", "-f", "--json")):
        yield _figure(f"1 session, {' '.join(words)}", _by_hldctl(place, 1, words), floor)
    yield _figure("20 sessions, tail -f", _by_hldctl(place, 20, ("tail", "-f")), _by_coreutils(place, 20))


def _figure(name: str, ours: tuple[float, ...], floor: tuple[float, ...]) -> Metric:
    return Metric(name, Samples("line to line", "ms", ours), Samples("tail -f of coreutils", "ms", floor))


def _by_hldctl(place: Workspace, sessions: int, words: Sequence[str]) -> tuple[float, ...]:
    """Milliseconds of each line, with so many sessions at once and a follower for each."""
    lines = _SECONDS * stream.LINES_PER_SECOND
    with place.empty() as sandbox:
        _, go = stream.install_steady_writer(sandbox, lines)
        ids = [
            sandbox.launch("Write", "-C", str(_directory(sandbox, number)), "--create-dir")
            for number in range(sessions)
        ]
        commands = [[str(word) for word in hldctl_command(sandbox, *words, session_id).words] for session_id in ids]
        with _followed(sandbox, commands) as arrivals:
            arrivals.wait_until_ready()
            go.touch()
            taken = arrivals.latencies(lines)
            stream.end_signal(go).touch()
    return taken


def _by_coreutils(place: Workspace, files: int) -> tuple[float, ...]:
    """The same writers, each into a file that nothing else reads."""
    lines = _FLOOR_SECONDS * stream.LINES_PER_SECOND
    with place.empty() as sandbox:
        writer, go = stream.install_steady_writer(sandbox, lines)
        paths = [sandbox.work / f"{number}" for number in range(files)]
        writers = [_into_file([sys.executable, str(writer)], path, sandbox) for path in paths]
        with _followed(sandbox, [["tail", "-n", "+1", "-f", str(path)] for path in paths]) as arrivals:
            arrivals.wait_until_ready()
            go.touch()
            taken = arrivals.latencies(lines)
            stream.end_signal(go).touch()
        for one in writers:
            one.wait()
    return taken


def _by_a_clock() -> Samples:
    """From the moment for which a process asked to be woken to the end of its work: what the machine adds to that."""
    taken: list[float] = []
    due = time.monotonic()
    for _ in range(_SECONDS * stream.LINES_PER_SECOND):
        due += 1 / stream.LINES_PER_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        begun = time.thread_time()
        while time.thread_time() - begun < _WORK_SECONDS:
            pass
        taken.append((time.monotonic() - due) * 1000)
    work = f"{_WORK_SECONDS * 1000:.1f} ms of work, {stream.LINES_PER_SECOND} times a second"
    return Samples(work, "ms", tuple(taken))


def _into_file(command: Sequence[str], path: Path, sandbox: Sandbox) -> subprocess.Popen[bytes]:
    with path.open("w") as file:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, env=sandbox.environment)


def _directory(sandbox: Sandbox, number: int) -> Path:
    return sandbox.work / f"{number}"


@dataclass
class _Arrivals:
    """What comes out of several followers, with the moment at which it does."""

    followers: Sequence[subprocess.Popen[bytes]]
    _begun: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        for follower in self.followers:
            assert follower.stdout is not None
            self._selector.register(follower.stdout, selectors.EVENT_READ)

    def wait_until_ready(self) -> None:
        """Until each has shown what was there before."""
        waited = {follower.stdout.fileno() for follower in self.followers if follower.stdout}
        for descriptor, _, lines in self._read():
            if b"ready" in lines:
                waited.discard(descriptor)
            if not waited:
                return
        raise NotMeasured(f"{len(waited)} of {len(self.followers)} followers show nothing")

    def latencies(self, lines: int) -> tuple[float, ...]:
        taken: list[float] = []
        expected = lines * len(self.followers)
        for _, arrived, text in self._read():
            taken.extend((arrived - int(moment)) / 1e6 for moment in _MOMENT.findall(text))
            if len(taken) == expected:
                return tuple(taken)
        raise NotMeasured(f"{len(taken)} of {expected} lines came out")

    def close(self) -> None:
        self._selector.close()
        for follower in self.followers:
            follower.kill()
            follower.communicate()

    def _read(self) -> Iterator[tuple[int, int, bytes]]:
        """Whole lines, with whose they are and when they came; ends when nothing comes any more."""
        while ready := self._selector.select(_PATIENCE):
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                arrived = time.monotonic_ns()
                if not chunk:
                    self._selector.unregister(key.fileobj)
                    continue
                lines, newline, rest = (self._begun.get(key.fd, b"") + chunk).rpartition(b"\n")
                self._begun[key.fd] = rest
                if newline:
                    yield key.fd, arrived, lines
            if not self._selector.get_map():
                return


@contextmanager
def _followed(sandbox: Sandbox, commands: Sequence[Sequence[str]]) -> Iterator[_Arrivals]:
    followers = [
        subprocess.Popen(
            command, env=sandbox.environment, cwd=sandbox.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        for command in commands
    ]
    arrivals = _Arrivals(followers)
    try:
        yield arrivals
    finally:
        arrivals.close()
