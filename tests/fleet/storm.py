"""A storm over a fleet: links, connections and the server are struck at random while sessions run on three machines.

python -m tests.fleet.storm --seconds 120 --seed 1

Afterwards all rows must be equal on all sides: none lost, none doubled, none different. It prints what it did.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random

import psycopg

from hldctl.fleet.record.connection import Unreachable
from tests.fleet.comparison import differences, recorded_rows
from tests.fleet.talkative import TALKATIVE
from tests.helpers.postgres import Record, fresh_record, running_server
from tests.helpers.sandbox import Sandbox, eventually, kill

_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hldctl link'"
_PATIENCE_SECONDS = 150.0


def strike(random: Random, machines: list[Sandbox], record: Record) -> str:
    """Do some damage, and return its name."""
    machine = random.choice(machines)
    what = random.choices(("link killed", "connections cut", "supervisor killed", "server crashed"), (8, 6, 2, 1))[0]
    match what:
        case "link killed":
            kill(machine.processes_with_argument("hldctl.fleet.link"))
            machine.ok("ls", "-q")
        case "connections cut":
            record.rows(_CUT)
        case "supervisor killed":
            kill(machine.supervisors()[:1])
        case "server crashed":
            record.server.stop()
            time.sleep(random.random())
            record.server.start()
    return what


def run(seconds: float, seed: int, sessions: int) -> dict[str, object]:
    """Run the storm and return its figures; raise AssertionError if a row is missing, doubled or different."""
    random, strikes = Random(seed), Counter[str]()
    with ExitStack() as stack:
        record = stack.enter_context(fresh_record(stack.enter_context(running_server())))
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hldctl-storm-", dir="/tmp")))
        machines = [Sandbox(root / name) for name in ("one", "two", "three")]
        for machine in machines:
            stack.callback(machine.close)
            machine.fake_claude(TALKATIVE)
            machine.ok("fleet", "join", record.url)
        started = [
            (machine, machine.launch(f"Task {number}"))
            for number, machine in zip(range(sessions), machines * sessions, strict=False)
        ]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                strikes[strike(random, machines, record)] += 1
            except (psycopg.Error, Unreachable):
                strikes["missed"] += 1
            time.sleep(random.random())
        for machine in machines:
            (machine.work / "go-on").touch()
        statuses = Counter(machine.wait_for_end(session_id)["status"] for machine, session_id in started)
        for machine in machines:
            machine.ok("ls", "-q")
        ended_at = time.monotonic()
        eventually(lambda: not differences(record, *machines), "the record to be equal", _PATIENCE_SECONDS)
        rows = {table: len(found) for table, found in recorded_rows(record).items()}
        after = time.monotonic() - ended_at
    return {"strikes": dict(strikes), "statuses": dict(statuses), "rows": rows, "equal_after_seconds": round(after, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sessions", type=int, default=10)
    options = parser.parse_args()
    print(json.dumps(run(options.seconds, options.seed, options.sessions), indent=2))


if __name__ == "__main__":
    main()
