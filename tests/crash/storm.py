"""What the programs have in common that kill processes at random times."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import psutil

from tests.helpers.sandbox import Sandbox


class Report(Protocol):
    """What a run has found; as a text, its figures."""

    faults: list[str]


def kill_one_of(chance: random.Random, processes: Sequence[psutil.Process]) -> int:
    """Kill one of the processes; return 1 if it was still running, 0 if not or if there is none."""
    if not processes:
        return 0
    try:
        chance.choice(processes).kill()
    except psutil.NoSuchProcess:
        return 0
    return 1


def main(run: Callable[[Sandbox, int, int], Report], description: str | None) -> int:
    """Run with the numbers of kills and the seed of the command line, print the report, and return the exit code."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0] if description else None)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(Path(directory) / "sandbox")
        try:
            report = run(sandbox, options.kills, options.seed)
        finally:
            sandbox.close()
    print(f"seed {options.seed}: {report}")
    print("\n".join(report.faults))
    return 1 if report.faults else 0
