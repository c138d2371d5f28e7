"""Sessions that last: one of a million events, one of a journal of two gigabytes.

`python -m tests.soak.measure` prints what they cost the supervisor, the database and those who look at them, and
exits with 1 if memory grew, the write-ahead log was not checkpointed, or anything is not recorded as it was written.
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
from tests.soak.life import Life, live

_MEGABYTE = 1_000_000
_MOST_GROWTH = 4 * _MEGABYTE
_LARGEST_LOG = 64 * _MEGABYTE
_LONG_TEXT = 64_000
_TIMES = 5


@contextmanager
def a_sandbox() -> Iterator[Sandbox]:
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


def seconds(sandbox: Sandbox, session_id: str) -> dict[str, float]:
    """How long each command takes: the median of several times."""
    return {
        name: statistics.median(_seconds(sandbox, command) for _ in range(_TIMES))
        for name, command in commands(session_id).items()
    }


def _seconds(sandbox: Sandbox, command: list[str]) -> float:
    begun = time.monotonic()
    sandbox.ok(*command)
    return time.monotonic() - begun


def seconds_of_a_short_session() -> dict[str, float]:
    with a_sandbox() as sandbox:
        sandbox.claude('print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "x"}))')
        session_id = sandbox.launch("Live shortly")
        sandbox.ended(session_id)
        return seconds(sandbox, session_id)


def early_of(events: int) -> int:
    """After how many the supervisor has had batches of every size, and goes on as it will."""
    return max(events // 20, min(events // 2, 20_000))


def described(name: str, life: Life, took: dict[str, float], short: dict[str, float]) -> str:
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


def is_sound(life: Life) -> bool:
    return life.growth <= _MOST_GROWTH and life.largest_log <= _LARGEST_LOG and not life.faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.measure", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the session of many events")
    parser.add_argument("--bytes", type=int, default=2_000_000_000, help="of the session with a large journal")
    wanted = parser.parse_args()
    short = seconds_of_a_short_session()
    with a_sandbox() as sandbox:
        many = live(sandbox, wanted.events, length=50, early=early_of(wanted.events))
        print(described("many events", many, seconds(sandbox, many.session_id), short), flush=True)
        # Eight lines of ten are texts.
        count = max(20, wanted.bytes * 10 // 8 // _LONG_TEXT)
        large = live(sandbox, count, _LONG_TEXT, early=early_of(count))
        print(described("large journal", large, seconds(sandbox, large.session_id), short), flush=True)
    return 0 if is_sound(many) and is_sound(large) else 1


if __name__ == "__main__":
    sys.exit(main())
