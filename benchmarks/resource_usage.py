"""Processor time, wake-ups and memory of a running process, read from /proc."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import NotMeasured

_KB = 1024


@dataclass(frozen=True)
class ResourceUsage:
    cpu_seconds: float
    wakeups: int
    """Voluntary context switches."""


def read_usage(pid: int) -> ResourceUsage:
    """Return the usage of all threads of the process. Raise NotMeasured without such a process, or without /proc."""
    cpu, wakeups = 0, 0
    for thread in _proc(pid, "task").iterdir():
        cpu += int((thread / "schedstat").read_text().split()[0])
        wakeups += _number("voluntary_ctxt_switches", (thread / "status").read_text())
    return ResourceUsage(cpu / 1e9, wakeups)


def memory_mb(pid: int) -> float:
    """Return the PSS in millions of bytes: pages shared with other processes count in part.

    Raise NotMeasured without such a process, or without /proc.
    """
    return _number("Pss", _proc(pid, "smaps_rollup").read_text()) * _KB / 1e6


def _proc(pid: int, name: str) -> Path:
    path = Path("/proc", str(pid), name)
    if not path.exists():
        raise NotMeasured(f"{path} does not exist")
    return path


def _number(name: str, text: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    if match is None:
        raise NotMeasured(f"the kernel does not report {name}")
    return int(match[1])
