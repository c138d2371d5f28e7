"""Retention: the removal of what is old from the record, in short transactions, while links write.

The events of a month are dropped with its partition, if no session needs them any more; others are deleted. Readers
find events by their session, so events whose session is gone wait unseen for that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from hldctl.errors import UnfitEnvironment
from hldctl.fleet.record.connection import Connection
from hldctl.fleet.record.driver import psycopg

_BATCH_SESSIONS = 100
_BATCH_ROWS = 10_000
# Links and readers wait while this waits for them, so it gives up early, and lets them work before it tries again. Not
# before an autovacuum gives way, which PostgreSQL asks of it after a second (`deadlock_timeout`).
_LOCK_TIMEOUT = "1500ms"
_LOCK_TRIES = 4
_LOCK_PAUSE_SECONDS = 0.5
_FIRST_ID = "00000000-0000-0000-0000-000000000000"


class Limit(NamedTuple):
    """What is old."""

    before: int
    """Sessions that ended earlier are; in milliseconds since 1970, by the server's clock."""
    only_events: bool
    """True if the sessions stay, without their conversations."""


@dataclass(frozen=True)
class Removal:
    """What was removed, or would be."""

    sessions: int = 0
    """How many sessions were, or their events."""
    months: tuple[date, ...] = ()
    """The months whose events were dropped as a whole."""
    intents: int = 0
    machines: tuple[str, ...] = ()
    """The names of machines."""
    busy_months: tuple[date, ...] = ()
    """The months that could be dropped, but were in use."""

    def plus(self, other: Removal) -> Removal:
        return Removal(
            self.sessions + other.sessions,
            self.months + other.months,
            self.intents + other.intents,
            self.machines + other.machines,
            self.busy_months + other.busy_months,
        )


# A machine whose clock is slow writes times that are too early.
_ENDED = """
(s.completed_at IS NOT NULL AND s.completed_at < %(before)s - greatest(0,
    coalesce((SELECT clock_offset_ms FROM hldctl.machines m WHERE m.id = s.machine_id), 0)))
"""
_MONTH = "date_trunc('month', to_timestamp(s.created_at / 1000.0) AT TIME ZONE 'UTC')::date"
_HAS_EVENTS = f"EXISTS (SELECT 1 FROM hldctl.events e WHERE e.session_id = s.id AND e.month = {_MONTH})"
_IS_OLD = f"{_ENDED} AND (NOT %(only_events)s OR {_HAS_EVENTS})"
_NEXT_SESSIONS = f"SELECT id FROM hldctl.sessions s WHERE id > %(after)s AND {_IS_OLD} ORDER BY id LIMIT %(rows)s"
# Those that a link writes at this moment stay until the next time.
_LOCK_SESSIONS = f"SELECT id FROM hldctl.sessions s WHERE id = ANY(%(ids)s::uuid[]) AND {_ENDED} FOR UPDATE SKIP LOCKED"
_DELETE_EVENTS = (
    "DELETE FROM hldctl.events WHERE session_id = ANY(%(ids)s::uuid[]) AND NOT month = ANY(%(months)s::date[])"
)
_DELETE_SESSIONS = (
    "DELETE FROM hldctl.approvals WHERE session_id = ANY(%(ids)s::uuid[])",
    "DELETE FROM hldctl.changes WHERE session_id = ANY(%(ids)s::uuid[])",
    "DELETE FROM hldctl.sessions WHERE id = ANY(%(ids)s::uuid[])",
)
_PARTS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'hldctl.events'::regclass AND c.relname ~ '^events_[0-9]{4}_[0-9]{2}$' ORDER BY 1
"""
_NEEDED_MONTHS = f"SELECT DISTINCT {_MONTH} FROM hldctl.sessions s WHERE created_at < %(before)s AND NOT {_ENDED}"
# By the index of machines and creation: a session of none is one that has not started.
_STAYS = f"""
SELECT EXISTS (SELECT 1 FROM hldctl.machines m, LATERAL (
        SELECT 1 FROM hldctl.sessions s WHERE s.machine_id = m.id AND s.created_at >= %(start)s
            AND s.created_at < %(end)s AND NOT (%(only_events)s AND {_ENDED}) LIMIT 1) AS found)
    OR EXISTS (SELECT 1 FROM hldctl.sessions s WHERE s.machine_id IS NULL AND s.created_at >= %(start)s
        AND s.created_at < %(end)s AND NOT (%(only_events)s AND {_ENDED}))
"""
# One step in the index for each session.
_STRAYS = """
WITH RECURSIVE found AS (
    (SELECT session_id FROM {part} ORDER BY session_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.session_id FROM {part} e WHERE e.session_id > found.session_id ORDER BY e.session_id LIMIT 1)
    FROM found WHERE found.session_id IS NOT NULL
)
SELECT session_id FROM found
WHERE session_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM hldctl.sessions s WHERE s.id = found.session_id)
"""
_DELETE_STRAYS = """
DELETE FROM {part} e WHERE session_id = ANY(%(ids)s::uuid[])
    AND NOT EXISTS (SELECT 1 FROM hldctl.sessions s WHERE s.id = e.session_id)
"""
# Of sessions that were removed by `rm`.
_DELETE_CHANGES = """
WITH page AS (
    SELECT machine_id, id FROM hldctl.changes WHERE (machine_id, id) > (%(machine)s::uuid, %(id)s)
    ORDER BY machine_id, id LIMIT %(rows)s
), deleted AS (
    DELETE FROM hldctl.changes c USING page p WHERE c.machine_id = p.machine_id AND c.id = p.id
        AND "timestamp" < %(before)s AND NOT EXISTS (SELECT 1 FROM hldctl.sessions s WHERE s.id = c.session_id)
)
SELECT machine_id, id FROM page ORDER BY machine_id DESC, id DESC LIMIT 1
"""
_OLD_INTENTS = "FROM hldctl.intents WHERE coalesce(done_at, expires_at) < to_timestamp(%(before)s / 1000.0)"
_OLD_MACHINES = f"""
FROM hldctl.machines l WHERE left_at < to_timestamp(%(before)s / 1000.0)
    AND NOT EXISTS (SELECT 1 FROM hldctl.sessions s WHERE s.machine_id = l.id AND NOT {_ENDED})
"""


def limit_of_age(connection: Connection, seconds: float, *, only_events: bool) -> Limit:
    """Return what is older than this, by the server's clock."""
    now = _rows(connection, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")[0][0]
    return Limit(now - int(seconds * 1000), only_events)


def require_owner(connection: Connection) -> None:
    """Raise UnfitEnvironment if these are the tables of another role, which alone can drop a part of them."""
    query = (
        "SELECT pg_get_userbyid(relowner), pg_has_role(relowner, 'USAGE'), current_user"
        " FROM pg_class WHERE oid = 'hldctl.events'::regclass"
    )
    owner, is_owner, user = _rows(connection, query)[0]
    if not is_owner:
        raise UnfitEnvironment(
            f"The record belongs to the role {owner}, and {user} cannot prune it; run it as that role, with"
            f" user={owner} in the address."
        )


def count(connection: Connection, limit: Limit) -> Removal:
    """Return what would be removed."""
    values = limit._asdict()
    sessions = _rows(connection, f"SELECT count(*) FROM hldctl.sessions s WHERE {_IS_OLD}", **values)[0][0]
    months = tuple(_droppable_months(connection, limit))
    if limit.only_events:
        return Removal(sessions, months)
    intents = _rows(connection, f"SELECT count(*) {_OLD_INTENTS}", **values)[0][0]
    machines = _rows(connection, f"SELECT name {_OLD_MACHINES} ORDER BY name, id", **values)
    return Removal(sessions, months, intents, tuple(row[0] for row in machines))


def remove(connection: Connection, limit: Limit) -> Iterator[Removal]:
    """Remove what is old, and yield what each step removed; every step is a transaction of its own."""
    months = _droppable_months(connection, limit)
    yield from _remove_sessions(connection, limit, months)
    for month in months:
        yield _drop(connection, limit, month)
    for month in _old_months(connection, limit):
        _delete_strays(connection, month)
    if not limit.only_events:
        _delete_changes(connection, limit)
        yield Removal(intents=connection.execute(f"DELETE {_OLD_INTENTS}", limit._asdict()).rowcount)
        yield Removal(machines=tuple(_remove_machines(connection, limit)))


def _remove_sessions(connection: Connection, limit: Limit, months: list[date]) -> Iterator[Removal]:
    """Remove sessions with all they have, except the events of months that will be dropped."""
    after = _FIRST_ID
    while page := _rows(connection, _NEXT_SESSIONS, after=after, rows=_BATCH_SESSIONS, **limit._asdict()):
        after = page[-1][0]
        with connection.transaction():
            locked = _rows(connection, _LOCK_SESSIONS, ids=[row[0] for row in page], **limit._asdict())
            ids = [row[0] for row in locked]
            for statement in (_DELETE_EVENTS, *(() if limit.only_events else _DELETE_SESSIONS)):
                connection.execute(statement, {"ids": ids, "months": months})
        yield Removal(sessions=len(ids))


def _droppable_months(connection: Connection, limit: Limit) -> list[date]:
    """Return the months whose events no session will need after the removal."""
    needed = {row[0] for row in _rows(connection, _NEEDED_MONTHS, before=limit.before)}
    return [month for month in _old_months(connection, limit) if month not in needed]


def _old_months(connection: Connection, limit: Limit) -> list[date]:
    """Return the months with a partition that are over by then, the oldest first."""
    first = datetime.fromtimestamp(limit.before / 1000, UTC).date().replace(day=1)
    months = [datetime.strptime(row[0], "events_%Y_%m").date() for row in _rows(connection, _PARTS)]
    return [month for month in months if month < first]


def _drop(connection: Connection, limit: Limit, month: date) -> Removal:
    """Drop the events of a month, unless a session has come that needs them, or they are in use all the time."""
    for attempt in range(_LOCK_TRIES):
        if attempt:
            time.sleep(_LOCK_PAUSE_SECONDS)
        try:
            return Removal(months=(month,)) if _try_to_drop(connection, limit, month) else Removal()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            continue
    return Removal(busy_months=(month,))


def _try_to_drop(connection: Connection, limit: Limit, month: date) -> bool:
    part = _part(month)
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        # No link adds a session between the look and the end; readers continue.
        connection.execute("LOCK TABLE hldctl.sessions IN SHARE MODE")
        bounds = {"start": _milliseconds(month), "end": _milliseconds(_next_month(month))}
        if _rows(connection, _STAYS, **bounds, **limit._asdict())[0][0]:
            return False
        connection.execute(f"ALTER TABLE hldctl.events DETACH PARTITION {part}")
        connection.execute(f"DROP TABLE {part}")
    return True


def _delete_strays(connection: Connection, month: date) -> None:
    """Delete the events of a month whose session is gone: their month could have been dropped, but then could not."""
    part = _part(month)
    ids = [row[0] for row in _rows(connection, _STRAYS.format(part=part))]
    for start in range(0, len(ids), _BATCH_SESSIONS):
        connection.execute(_DELETE_STRAYS.format(part=part), {"ids": ids[start : start + _BATCH_SESSIONS]})


def _delete_changes(connection: Connection, limit: Limit) -> None:
    """Delete old changes of sessions that the record does not have."""
    place: tuple[str, int] = (_FIRST_ID, 0)
    while page := _rows(
        connection, _DELETE_CHANGES, machine=place[0], id=place[1], rows=_BATCH_ROWS, before=limit.before
    ):
        place = page[0][:2]


def _remove_machines(connection: Connection, limit: Limit) -> Iterator[str]:
    """Remove the machines that left before, and have no session in the record; yield their names."""
    values = limit._asdict()
    for machine_id, name in _rows(connection, f"SELECT id, name {_OLD_MACHINES} ORDER BY name, id", **values):
        with connection.transaction():
            # A machine that joins again at this moment has not left any more; it waits, and is then a new one.
            query = f"SELECT 1 {_OLD_MACHINES} AND l.id = %(id)s FOR UPDATE"
            if not _rows(connection, query, id=machine_id, **values):
                continue
            if _rows(connection, "SELECT 1 FROM hldctl.sessions WHERE machine_id = %(id)s LIMIT 1", id=machine_id):
                continue
            for table in ("changes", "intents"):
                connection.execute(f"DELETE FROM hldctl.{table} WHERE machine_id = %s", (machine_id,))
            connection.execute("DELETE FROM hldctl.machines WHERE id = %s", (machine_id,))
        yield name


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _milliseconds(month: date) -> int:
    return int(datetime(month.year, month.month, 1, tzinfo=UTC).timestamp() * 1000)


def _part(month: date) -> str:
    return f"hldctl.events_{month:%Y_%m}"


def _rows(connection: Connection, query: str, **values: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, values).fetchall()
