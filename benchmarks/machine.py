"""Where, when and with what was measured."""

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

from hldctl import __version__
from tests.helpers.sandbox import claude_binary


def describe(arguments: list[str]) -> dict[str, str]:
    """What to name it, and its value; the load is that of the last minute before."""
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


class Steal:
    """What a virtual machine's host gave to others while this one wanted to run."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def share(self) -> float:
        """Of the processor time wanted since this was made: 0 to 1; 0 where the kernel does not count it."""
        now = psutil.cpu_times()
        stolen = getattr(now, "steal", 0.0) - getattr(self._before, "steal", 0.0)
        given = _busy(now) - _busy(self._before)
        return float(stolen / (stolen + given)) if stolen else 0.0


def _busy(times: Any) -> float:
    """Seconds of all processors; guests' are part of the user's."""
    return float(times.user + times.nice + times.system)


def _claude_version() -> str:
    done = subprocess.run([claude_binary(), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition(" ")[0].strip() or "unknown"


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return found[1] if found else platform.machine() or sys.platform
