"""A storm over a fleet: links, connections, server and network are struck at random while sessions run on three hosts.

python -m tests.fleet.storm --seconds 120 --seed 1 --namespaces

The hosts reach the server by TLS. With `--namespaces`, which needs root, each has a network and a name of its own, and
cables are pulled; otherwise they are state directories. Afterwards all rows must be equal on all sides: none lost, none
doubled, none different. It prints what it did, and exits with 1 if they are not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg

from hldctl.fleet.record.connection import Unreachable
from tests.fleet.comparison import differences, recorded_rows
from tests.fleet.talkative import TALKATIVE
from tests.helpers.network import Network, network
from tests.helpers.postgres import USER, Record, Server, fresh_record, running_server
from tests.helpers.sandbox import Sandbox, eventually, kill

_HOSTS = ("one", "two", "three")
_SERVER = "db"
_SERVER_NAME = "db.example.org"
_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hldctl link'"
_PATIENCE_SECONDS = 240.0
# Around the time after which a link notices that nobody answers.
_MAX_CUT_SECONDS = 15.0
_WEIGHTS = {"links killed": 8, "connections cut": 6, "supervisors killed": 2, "server crashes": 1, "cables pulled": 2}


@dataclass
class Fleet:
    """Three hosts and a record."""

    machines: dict[str, Sandbox]
    record: Record
    network: Network | None


@contextmanager
def running_fleet(root: Path, *, namespaces: bool) -> Iterator[Fleet]:
    """Run a server and three hosts that have joined its record."""
    with ExitStack() as stack:
        made = stack.enter_context(network([_SERVER, *_HOSTS])) if namespaces else None
        address = "127.0.0.1" if made is None else made.addresses[_SERVER]
        entrance = () if made is None else made.network_entrance(_SERVER)
        server = stack.enter_context(running_server(tls_host=_SERVER_NAME, address=address, entrance=entrance))
        record = stack.enter_context(fresh_record(server))
        machines = {}
        for name in _HOSTS:
            machine = machines[name] = Sandbox(root / name)
            stack.callback(machine.close)
            if made is not None:
                machine.prefix = made.entrance(name)
            machine.fake_claude(TALKATIVE)
            _trust(machine, server)
            place = f"host={_SERVER_NAME} hostaddr={address} port={server.port}"
            machine.ok("fleet", "join", f"{place} user={USER} dbname={record.name}")
        yield Fleet(machines, record, made)


def _trust(machine: Sandbox, server: Server) -> None:
    trusted = machine.home / ".postgresql" / "root.crt"
    trusted.parent.mkdir()
    shutil.copy(server.directory / "server.crt", trusted)


def strike(random: Random, fleet: Fleet, strikes: Counter[str]) -> None:
    """Do some damage, and count it."""
    kinds = [kind for kind in _WEIGHTS if fleet.network is not None or kind != "cables pulled"]
    kind = random.choices(kinds, [_WEIGHTS[each] for each in kinds])[0]
    name, machine = random.choice([*fleet.machines.items()])
    count = 1
    match kind:
        case "links killed":
            found = machine.processes_with_argument("hldctl.fleet.link")
            kill(found)
            count = len(found)
            machine.ok("ls", "-q")
        case "connections cut":
            count = len(fleet.record.rows(_CUT))
        case "supervisors killed":
            found = machine.supervisors()[:1]
            kill(found)
            count = len(found)
        case "server crashes":
            fleet.record.server.stop()
            time.sleep(random.random())
            fleet.record.server.start()
        case "cables pulled":
            assert fleet.network is not None
            fleet.network.pull_cable(name)
            time.sleep(random.uniform(0, _MAX_CUT_SECONDS))
            fleet.network.plug_in(name)
    strikes[kind] += count


def run(seconds: float, seed: int, sessions: int, *, namespaces: bool) -> dict[str, object]:
    """Run the storm and return its figures."""
    random, strikes = Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="hldctl-storm-", dir="/tmp") as directory, ExitStack() as stack:
        fleet = stack.enter_context(running_fleet(Path(directory), namespaces=namespaces))
        machines = [*fleet.machines.values()]
        started = [
            (machine, machine.launch(f"Task {number}"))
            for number, machine in zip(range(sessions), machines * sessions, strict=False)
        ]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                strike(random, fleet, strikes)
            except (psycopg.Error, Unreachable):
                strikes["missed"] += 1
            time.sleep(random.random())
        during = len(recorded_rows(fleet.record)["events"])
        for machine in machines:
            (machine.work / "go-on").touch()
        statuses = Counter(machine.wait_for_end(session_id)["status"] for machine, session_id in started)
        for machine in machines:
            machine.ok("ls", "-q")
        ended_at = time.monotonic()
        found = _final_differences(fleet.record, machines)
        rows = {table: len(each) for table, each in recorded_rows(fleet.record).items()}
    return {
        "strikes": dict(strikes),
        "statuses": dict(statuses),
        "rows": rows,
        "rows_compared": sum(rows.values()),
        "events_recorded_during_the_storm": during,
        "lost": sum(each.endswith(": only here") for each in found),
        "doubled": sum(each.endswith(": only there") for each in found),
        "different": sum(not each.endswith((": only here", ": only there")) for each in found),
        "compared_after_seconds": round(time.monotonic() - ended_at, 1),
    }


def _final_differences(record: Record, machines: list[Sandbox]) -> list[str]:
    """Return what is still different after the links had time to send what is missing."""
    try:
        eventually(lambda: not differences(record, *machines), "the record to be equal", _PATIENCE_SECONDS)
    except AssertionError:
        return differences(record, *machines)
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--namespaces", action="store_true", help="hosts in network namespaces; needs root")
    options = parser.parse_args()
    figures = run(options.seconds, options.seed, options.sessions, namespaces=options.namespaces)
    print(json.dumps(figures, indent=2))
    raise SystemExit(bool(figures["lost"] or figures["doubled"] or figures["different"]))


if __name__ == "__main__":
    main()
