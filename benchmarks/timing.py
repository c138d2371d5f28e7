"""Timing of whole commands, from before they are started until they have exited."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class NotMeasured(Exception):
    """Raised if a metric cannot be measured; the message is the reason."""


@dataclass(frozen=True)
class CompletedCommand:
    wall_ms: float
    cpu_ms: float
    """Processor time of the process and of the children that it has waited for."""
    output: str


@dataclass(frozen=True)
class Command:
    argv: Sequence[str | Path]
    environment: Mapping[str, str]
    directory: Path

    def run(self) -> CompletedCommand:
        """Run the command. Raise NotMeasured if its exit code is not 0."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            started = time.perf_counter()
            process = subprocess.Popen(
                [str(word) for word in self.argv],
                env=dict(self.environment),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                process.wait()
                raise
            wall_seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            stdout, stderr = (_read_text(file.fileno()) for file in (output, errors))
        if process.returncode:
            name = " ".join([Path(self.argv[0]).name, *map(str, self.argv[1:])])
            raise NotMeasured(f"`{name}` ended with {process.returncode}: {(stderr or stdout).strip()[-300:]}")
        return CompletedCommand(wall_seconds * 1000, (usage.ru_utime + usage.ru_stime) * 1000, stdout)

    def wall_ms(self) -> float:
        return self.run().wall_ms

    def cpu_ms(self) -> float:
        return self.run().cpu_ms


Timer = Callable[[], float]


def run_in_turn(first: Timer, second: Timer, times: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Run both in turn, N times each after one of each to warm up; return the values of the first and of the second."""
    first(), second()
    pairs = [(first(), second()) for _ in range(times)]
    first_values, second_values = zip(*pairs, strict=True)
    return first_values, second_values


def _read_text(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read().decode(errors="replace")
