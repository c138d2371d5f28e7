"""Whole commands, timed from before they are started until they have ended."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class NotMeasured(Exception):
    """Why there is no such figure."""


@dataclass(frozen=True)
class CompletedCommand:
    wall_ms: float
    cpu_ms: float
    """Its own and that of the children that it has waited for."""
    output: str


@dataclass(frozen=True)
class Command:
    words: Sequence[str | Path]
    environment: Mapping[str, str]
    directory: Path

    def run(self) -> CompletedCommand:
        """Raises NotMeasured if it fails."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            begun = time.perf_counter()
            process = subprocess.Popen(
                [str(word) for word in self.words],
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
            wall = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            written, complaints = (_text(file.fileno()) for file in (output, errors))
        if process.returncode:
            name = " ".join([Path(self.words[0]).name, *map(str, self.words[1:])])
            raise NotMeasured(f"`{name}` ended with {process.returncode}: {(complaints or written).strip()[-300:]}")
        return CompletedCommand(wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000, written)

    def wall_ms(self) -> float:
        return self.run().wall_ms


Timer = Callable[[], float]


def run_in_turn(first: Timer, second: Timer, times: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both in turn, so many times each, after one of each to warm up."""
    first(), second()
    pairs = [(first(), second()) for _ in range(times)]
    ones, others = zip(*pairs, strict=True)
    return ones, others


def _text(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read().decode(errors="replace")
