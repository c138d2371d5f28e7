"""What a command reads: the state directory of this machine, or a replica of sessions of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from hldctl.errors import NoSuchSession
from hldctl.fleet.address import configured_url
from hldctl.fleet.record import machines, reading
from hldctl.fleet.record.connection import Connection, Unreachable
from hldctl.fleet.record.reading import Where
from hldctl.fleet.record.schema import open_current
from hldctl.fleet.replica.directory import open_replica
from hldctl.fleet.replica.mirror import Mirror
from hldctl.paths import StateDirectory
from hldctl.states import ENDED, Status
from hldctl.store.session_list import Listing

# Sessions whose requests are listed.
_MAX_REQUESTS = 200
_LIVE = Listing(archived=True, statuses=tuple(status for status in Status if status not in ENDED))


@contextmanager
def replica_of(
    state: StateDirectory, refs: Sequence[str], missing: NoSuchSession, report: Callable[[str], None]
) -> Iterator[Mirror]:
    """Copy the sessions that these references name in the record, or a request of, and follow them in the block.

    `report` gets a sentence when the record cannot be reached later. Raise `missing` if the record does not have one of
    them either.
    """
    url = configured_url()
    with open_replica(state) as replica:
        try:
            with open_current(url) as record:
                ids = [reading.find_id(record, ref) or reading.find_session_of_request(record, ref) for ref in refs]
                if (found := [each for each in ids if each is not None]) != ids:
                    raise missing
                mirror = Mirror(replica, url, list(dict.fromkeys(found)), report)
                mirror.load(record)
        except Unreachable as error:
            raise Unreachable(f"{missing} If it is a session of another machine: {error}") from None
        mirror.follow()
        try:
            yield mirror
        finally:
            mirror.stop()


@contextmanager
def replica_of_list(
    state: StateDirectory,
    listing: Listing,
    where: Where,
    timeout_seconds: int | None,
    *,
    with_texts: bool,
    follows: bool = False,
) -> Iterator[Mirror]:
    """Copy the sessions that match to a replica, without their conversations; with `follows`, follow them in the block,
    and add new ones.
    """
    url = configured_url()
    with open_replica(state) as replica:
        with open_current(url, timeout_seconds) as record:
            machine_ids = _machine_ids(record, where)

            def find(connection: Connection) -> list[str]:
                return reading.find_ids(connection, listing, where, machine_ids)

            mirror = Mirror(replica, url, find(record), find=find if follows else None)
            mirror.load(record, with_texts=with_texts, with_events=False)
        if follows:
            mirror.follow()
        try:
            yield mirror
        finally:
            mirror.stop()


def replica_of_live(state: StateDirectory, where: Where, timeout_seconds: int | None) -> AbstractContextManager[Mirror]:
    """Copy the sessions that have not ended to a replica, and follow them, and new ones, in the block."""
    return replica_of_list(state, _LIVE, where, timeout_seconds, with_texts=False, follows=True)


@contextmanager
def replica_of_requests(
    state: StateDirectory, where: Where, timeout_seconds: int | None, *, answered_too: bool
) -> Iterator[Mirror]:
    """Copy the sessions with requests, pending or all, to a replica."""
    url = configured_url()
    with open_replica(state) as replica:
        with open_current(url, timeout_seconds) as record:
            machine_ids = _machine_ids(record, where)
            ids = reading.sessions_with_requests(
                record, where, machine_ids, answered_too=answered_too, limit=_MAX_REQUESTS
            )
            mirror = Mirror(replica, url, ids)
            mirror.load(record, with_texts=False, with_events=False)
        yield mirror


def _machine_ids(record: Connection, where: Where) -> list[str]:
    if where.machine is None:
        return []
    return [machine.id for machine in machines.find_named(record, where.machine)]
