"""Measurement of long sessions: one with a million events, one with a journal of two gigabytes.

`python -m tests.soak.measure` prints the resources used by the supervisor, the database and reading commands. It exits
with 1 if memory grew, the write-ahead log was not checkpointed, or a line is not recorded as it was written.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.sandbox import Sandbox
from tests.soak.long_session import LongSession, run_long_session

_MEGABYTE = 1_000_000
_GROWTH_LIMIT = 4 * _MEGABYTE
_LOG_LIMIT = 64 * _MEGABYTE
_LONG_TEXT = 64_000
_TIMES = 5


@contextmanager
def temporary_sandbox() -> Iterator[Sandbox]:
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(Path(directory) / "sandbox")
        try:
            yield sandbox
        finally:
            sandbox.close()


def commands(session_id: str) -> dict[str, list[str]]:
    return {
        "tail -n 20": ["tail", "-n", "20", session_id],
        "tail --raw -n 20": ["tail", "--raw", "-n", "20", session_id],
        "show": ["show", session_id],
        "ls": ["ls"],
    }


def measure_commands(sandbox: Sandbox, session_id: str) -> dict[str, float]:
    """Return the seconds that each command takes: the median of several runs."""
    return {
        name: statistics.median(_seconds(sandbox, command) for _ in range(_TIMES))
        for name, command in commands(session_id).items()
    }


def _seconds(sandbox: Sandbox, command: list[str]) -> float:
    started = time.monotonic()
    sandbox.ok(*command)
    return time.monotonic() - started


def measure_short_session() -> dict[str, float]:
    with temporary_sandbox() as sandbox:
        sandbox.fake_claude(
            'print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "x"}))'
        )
        session_id = sandbox.launch("A short session")
        sandbox.wait_for_end(session_id)
        return measure_commands(sandbox, session_id)


def warm_up_events(events: int) -> int:
    """Return the number of events after which the supervisor has had batches of all sizes and is in a steady state."""
    return max(events // 20, min(events // 2, 20_000))


def render_report(name: str, life: LongSession, took: dict[str, float], short: dict[str, float]) -> str:
    times = [
        f"{command}: {took[command] * 1000:.0f} ms (short session: {short[command] * 1000:.0f})" for command in took
    ]
    return "\n  ".join(
        [
            f"{name}: {life.events} events, journal of {life.journal / _MEGABYTE:.0f} MB",
            f"supervisor: {life.early.memory / _MEGABYTE:.2f} MB early, {life.late.memory / _MEGABYTE:.2f} MB late;"
            f" {life.early.descriptors} descriptors, then {life.late.descriptors}",
            f"rate: {life.events / life.seconds:.0f} events/s, {life.journal / life.seconds / _MEGABYTE:.0f} MB/s",
            f"write-ahead log with a tail -f open: {life.largest_log / _MEGABYTE:.1f} MB at its largest",
            *times,
            f"audit: {'; '.join(life.faults) or 'no fault'}",
        ]
    )


def is_sound(life: LongSession) -> bool:
    return life.growth <= _GROWTH_LIMIT and life.largest_log <= _LOG_LIMIT and not life.faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.measure", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the session of many events")
    parser.add_argument("--bytes", type=int, default=2_000_000_000, help="of the session with a large journal")
    options = parser.parse_args()
    short = measure_short_session()
    with temporary_sandbox() as sandbox:
        many = run_long_session(sandbox, options.events, length=50, early=warm_up_events(options.events))
        print(render_report("many events", many, measure_commands(sandbox, many.session_id), short), flush=True)
        # Eight of ten lines are texts.
        count = max(20, options.bytes * 10 // 8 // _LONG_TEXT)
        large = run_long_session(sandbox, count, _LONG_TEXT, early=warm_up_events(count))
        print(render_report("large journal", large, measure_commands(sandbox, large.session_id), short), flush=True)
    return 0 if is_sound(many) and is_sound(large) else 1


if __name__ == "__main__":
    sys.exit(main())
