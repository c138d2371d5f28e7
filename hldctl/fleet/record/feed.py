"""The changes of all machines, as one feed.

Each machine numbers its own, so a follower has a place for each machine, and misses none that is recorded late.
"""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hldctl.fleet.address import configured_url
from hldctl.fleet.record import machines, schema
from hldctl.fleet.record.connection import Connection
from hldctl.fleet.record.machines import Machine
from hldctl.fleet.record.reading import Where
from hldctl.states import FeedType
from hldctl.store.feed import FeedEvent

_PAGE = 500
_POLL_SECONDS = 0.25
_SELECT = (
    'SELECT id, type, session_id, run_id, "timestamp", data FROM hldctl.changes'
    " WHERE machine_id = %s AND id > %s AND (%s::text[] IS NULL OR type = ANY(%s)) ORDER BY id LIMIT %s"
)


class MachineChange(NamedTuple):
    """A change on a machine; its id is the machine's own number."""

    machine: Machine
    event: FeedEvent


def changes(
    where: Where, types: Sequence[FeedType] = (), *, after: int = 0, only_new: bool = False, follow: bool = False
) -> Iterator[MachineChange]:
    """Yield the changes of these machines in the order of their times; with `follow`, then new ones, forever."""
    wanted = [str(kind) for kind in types] or None
    with schema.open_current(configured_url()) as record:
        places: dict[str, int] = {}
        for machine in _select(record, where):
            places[machine.id] = _last_id(record, machine) if only_new else after
        while True:
            found = _select(record, where)
            streams = [_stream(record, machine, places, wanted) for machine in found]
            yield from heapq.merge(*streams, key=lambda change: change.event.timestamp)
            if not follow:
                return
            time.sleep(_POLL_SECONDS)


def _stream(
    record: Connection, machine: Machine, places: dict[str, int], types: list[str] | None
) -> Iterator[MachineChange]:
    while page := record.execute(_SELECT, (machine.id, places.get(machine.id, 0), types, types, _PAGE)).fetchall():
        places[machine.id] = page[-1][0]
        for row in page:
            yield MachineChange(machine, FeedEvent._make((*row[:-1], json.loads(row[-1]))))


def _select(record: Connection, where: Where) -> list[Machine]:
    found = machines.list_machines(record) if where.machine is None else machines.find_named(record, where.machine)
    return [machine for machine in found if where.owner in (None, machine.owner)]


def _last_id(record: Connection, machine: Machine) -> int:
    query = "SELECT coalesce(max(id), 0) FROM hldctl.changes WHERE machine_id = %s"
    return int(record.execute(query, (machine.id,)).fetchall()[0][0])
