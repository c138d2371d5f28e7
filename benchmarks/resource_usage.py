"""What a living process has used so far, from /proc."""

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
    """How often it has been waiting and went on."""


def read_usage(pid: int) -> ResourceUsage:
    """Of all its threads; raises NotMeasured where there is no such process or no /proc."""
    cpu, wakeups = 0, 0
    for thread in _proc(pid, "task").iterdir():
        cpu += int((thread / "schedstat").read_text().split()[0])
        wakeups += _number("voluntary_ctxt_switches", (thread / "status").read_text())
    return ResourceUsage(cpu / 1e9, wakeups)


def memory_mb(pid: int) -> float:
    """PSS: pages that it shares with others count in part; millions of bytes. Raises NotMeasured, too."""
    return _number("Pss", _proc(pid, "smaps_rollup").read_text()) * _KB / 1e6


def _proc(pid: int, name: str) -> Path:
    path = Path("/proc", str(pid), name)
    if not path.exists():
        raise NotMeasured(f"there is no {path}")
    return path


def _number(name: str, text: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    if found is None:
        raise NotMeasured(f"the kernel does not tell {name}")
    return int(found[1])
