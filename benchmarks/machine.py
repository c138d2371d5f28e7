"""Description of the machine, the versions and the time of a run."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import psutil

from hldctl.version import __version__
from tests.helpers.sandbox import claude_binary


def describe(arguments: list[str]) -> dict[str, str]:
    """Return labels and values; the load is the average of the minute before the run."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(["python -m benchmarks", *arguments]),
        "hldctl": __version__,
        "Claude Code": _claude_version(),
        "Python": platform.python_version(),
        "SQLite": apsw.sqlite_lib_version(),
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


class StealTime:
    """Processor time that the host of a virtual machine gave to others while this machine was ready to run."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def share(self) -> float:
        """Return the stolen share (0 to 1) of the processor time requested since construction; 0 if not counted."""
        now = psutil.cpu_times()
        stolen = getattr(now, "steal", 0.0) - getattr(self._before, "steal", 0.0)
        used = _busy_seconds(now) - _busy_seconds(self._before)
        return float(stolen / (stolen + used)) if stolen else 0.0


def _busy_seconds(times: Any) -> float:
    """Return the seconds of all processors; the user time includes the time of guests."""
    return float(times.user + times.nice + times.system)


def _claude_version() -> str:
    done = subprocess.run([claude_binary(), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition(" ")[0].strip() or "unknown"


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*:\s*(.+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return match[1] if match else platform.machine() or sys.platform
