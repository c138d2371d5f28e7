"""Queries on the record: sessions, events, requests and changes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from hldctl.errors import NoSuchSession
from hldctl.fleet.record.connection import Connection
from hldctl.fleet.record.placed import Place
from hldctl.fleet.record.tables import RecordedSession
from hldctl.states import ENDED
from hldctl.store import approvals
from hldctl.store.session_list import Listing, filter_sessions
from hldctl.store.session_table import run_time

_ID_CHARACTERS = frozenset("0123456789abcdef")
_UUID_GROUPS = (8, 4, 4, 4, 12)


class Where(NamedTuple):
    """Whose sessions are listed."""

    machine: str | None = None
    """The name of a machine, or the beginning of its id."""
    owner: str | None = None


class RecordedRow(NamedTuple):
    """A session in the record."""

    id: str
    machine_id: str | None
    owner: str
    revision: int
    declared_lost_at: int | None
    row: dict[str, Any]
    """Its columns by name, without texts that are not shared."""
    place: Place | None = None
    """Where an engine has it; None if it was launched on its machine."""


class RecordedRequest(NamedTuple):
    """A permission request in the record."""

    id: str
    session_id: str
    input_sha256: str | None
    """The SHA-256 of its input on the session's machine."""
    row: dict[str, Any]
    """Its columns by name, without texts that are not shared."""

    @property
    def shown_sha256(self) -> str:
        """The SHA-256 of the input that the record shows."""
        return approvals.input_sha256(str(self.row["tool_input"]))


_COLUMNS = 'id, machine_id, owner, revision, declared_lost_at, "row", texts, place, status, end_reason, completed_at'


def find_ids(connection: Connection, listing: Listing, where: Where, machine_ids: Sequence[str]) -> list[str]:
    """Return the ids of the sessions that match, newest or largest first; `machine_ids` are those of the machine."""
    table = RecordedSession
    query = filter_sessions(table.select(table.id), listing, table)
    if listing.statuses and not ENDED.intersection(listing.statuses):
        # The condition of an index of these few.
        query = query.where(table.completed_at.is_null())
    if where.machine is not None:
        query = query.where(table.machine_id.in_(list(machine_ids)))
    if where.owner is not None:
        query = query.where(table.owner == where.owner)
    if listing.sort == "created_at":
        # In the order of an index.
        query = query.order_by(table.created_at.desc(), table.id.desc())
    else:
        key = run_time(table) if listing.sort == "run_time" else getattr(table, listing.sort)
        query = query.order_by(key.desc(nulls="LAST"), table.id.desc())
    sql, parameters = query.limit(listing.limit).sql()
    return [row[0] for row in connection.execute(sql, parameters).fetchall()]


def read_sessions(connection: Connection, ids: Sequence[str], *, with_texts: bool = True) -> list[RecordedRow]:
    """Return these sessions in this order, without those that the record does not have."""
    selected = _COLUMNS if with_texts else _COLUMNS.replace("texts", "json_build_object('summary', summary)")
    query = f"SELECT {selected} FROM hldctl.sessions WHERE id = ANY(%s::uuid[])"
    rows = {row[0]: _recorded_row(row) for row in connection.execute(query, (list(ids),)).fetchall()}
    return [rows[session_id] for session_id in ids if session_id in rows]


def _recorded_row(row: tuple[Any, ...]) -> RecordedRow:
    columns = json.loads(row[5]) | json.loads(row[6] or "{}")
    place = Place.from_json(row[7])
    if row[1] is None:
        # No machine has written its row.
        columns |= dict(zip(("status", "end_reason", "completed_at"), row[8:], strict=True))
    if (lost_at := row[4]) is not None:
        columns |= {"status": "failed", "end_reason": "lost", "completed_at": lost_at, "pending_approvals": 0}
        if row[1] is None and place is not None:
            columns["error_message"] = place.loss
    return RecordedRow._make((*row[:5], columns, place))


def revisions(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Return a number for each of these sessions that changes with it."""
    query = "SELECT id, revision FROM hldctl.sessions WHERE id = ANY(%s::uuid[])"
    return dict(connection.execute(query, (list(ids),)).fetchall())


def events_after(connection: Connection, session_id: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Return the next events of a session after a number, each by column."""
    query = (
        "SELECT event FROM hldctl.events WHERE session_id = %s AND sequence > %s AND month ="
        " (SELECT date_trunc('month', to_timestamp(created_at / 1000.0) AT TIME ZONE 'UTC')::date"
        " FROM hldctl.sessions WHERE id = %s) ORDER BY sequence LIMIT %s"
    )
    return [json.loads(row[0]) for row in connection.execute(query, (session_id, after, session_id, limit)).fetchall()]


def events_at(connection: Connection, session_id: str, sequences: Sequence[int]) -> list[dict[str, Any]]:
    """Return these events of a session."""
    query = "SELECT event FROM hldctl.events WHERE session_id = %s AND sequence = ANY(%s)"
    return [json.loads(row[0]) for row in connection.execute(query, (session_id, list(sequences))).fetchall()]


def last_events(connection: Connection, session_id: str, count: int) -> list[dict[str, Any]]:
    """Return the newest events of a session, the oldest of them first."""
    query = "SELECT event FROM hldctl.events WHERE session_id = %s ORDER BY sequence DESC LIMIT %s"
    return [json.loads(row[0]) for row in connection.execute(query, (session_id, count)).fetchall()][::-1]


def session_approvals(connection: Connection, ids: Collection[str]) -> list[dict[str, Any]]:
    """Return all requests of these sessions, oldest first."""
    query = 'SELECT "row" FROM hldctl.approvals WHERE session_id = ANY(%s::uuid[]) ORDER BY created_at, id'
    return [json.loads(row[0]) for row in connection.execute(query, (list(ids),)).fetchall()]


def sessions_with_requests(
    connection: Connection, where: Where, machine_ids: Sequence[str], *, answered_too: bool, limit: int
) -> list[str]:
    """Return the ids of the sessions with the newest requests, pending or all."""
    conditions, values = ["true"], list[Any]()
    if not answered_too:
        conditions.append("a.status = 'pending' AND s.declared_lost_at IS NULL")
    if where.machine is not None:
        conditions.append("s.machine_id = ANY(%s::uuid[])")
        values.append(list(machine_ids))
    if where.owner is not None:
        conditions.append("s.owner = %s")
        values.append(where.owner)
    query = (
        "SELECT DISTINCT session_id FROM (SELECT a.session_id FROM hldctl.approvals a JOIN hldctl.sessions s"
        f" ON s.id = a.session_id WHERE {' AND '.join(conditions)} ORDER BY a.created_at DESC LIMIT %s) AS newest"
    )
    return [row[0] for row in connection.execute(query, (*values, limit)).fetchall()]


def session_changes(connection: Connection, session_id: str, after: int) -> list[tuple[Any, ...]]:
    """Return the changes of a session after an id: id, type, session, run, time and data as JSON."""
    query = (
        'SELECT id, type, session_id, run_id, "timestamp", data FROM hldctl.changes'
        " WHERE session_id = %s AND id > %s ORDER BY id"
    )
    return connection.execute(query, (session_id, after)).fetchall()


def last_change_ids(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Return the id of the last change of each of these sessions that has any."""
    query = "SELECT session_id, max(id) FROM hldctl.changes WHERE session_id = ANY(%s::uuid[]) GROUP BY session_id"
    return dict(connection.execute(query, (list(ids),)).fetchall())


def find_id(connection: Connection, ref: str) -> str | None:
    """Return the id of the session with this id, unique prefix of an id, or name; None if there is none.

    Raise NoSuchSession if the prefix is ambiguous.
    """
    query = (
        "SELECT id FROM hldctl.sessions WHERE name = %s"
        " ORDER BY completed_at IS NOT NULL, status = 'queued', created_at DESC LIMIT 1"
    )
    if (row := connection.execute(query, (ref,)).fetchone()) is not None:
        return str(row[0])
    if (bounds := _bounds(ref.lower())) is None:
        return None
    query = "SELECT id FROM hldctl.sessions WHERE id BETWEEN %s AND %s LIMIT 2"
    ids = [str(row[0]) for row in connection.execute(query, bounds).fetchall()]
    if len(ids) > 1:
        raise NoSuchSession(
            f"{ref!r} is ambiguous: it matches {' and '.join(ids)}, and maybe more; type more of the id."
        )
    return ids[0] if ids else None


def find_session_of_request(connection: Connection, ref: str) -> str | None:
    """Return the session of the permission request with this id, or unique prefix of one; None if there is none."""
    request = find_request(connection, ref)
    return None if request is None else request.session_id


def find_request(connection: Connection, ref: str) -> RecordedRequest | None:
    """Return the permission request with this id, or unique prefix of one; None if there is none."""
    query = f"{_SELECT_REQUEST} WHERE id >= %s AND id < %s LIMIT 2"
    found = _requests(connection, query, ref.lower(), f"{ref.lower()}\x7f")
    return found[0] if len(found) == 1 else None


def pending_requests(connection: Connection, session_id: str) -> list[RecordedRequest]:
    """Return the requests of a session that wait for an answer, oldest first."""
    query = f"{_SELECT_REQUEST} WHERE session_id = %s AND status = 'pending' ORDER BY created_at, id"
    return _requests(connection, query, session_id)


_SELECT_REQUEST = 'SELECT id, session_id, input_sha256, "row" FROM hldctl.approvals'


def _requests(connection: Connection, query: str, *values: Any) -> list[RecordedRequest]:
    rows = connection.execute(query, values).fetchall()
    return [RecordedRequest(row[0], row[1], row[2], json.loads(row[3])) for row in rows]


def _bounds(prefix: str) -> tuple[str, str] | None:
    """Return the first and the last UUID with this prefix; None if no UUID begins like this."""
    digits = prefix.replace("-", "")
    if not digits or not _ID_CHARACTERS.issuperset(digits) or not _format(digits.ljust(32, "0")).startswith(prefix):
        return None
    return _format(digits.ljust(32, "0")), _format(digits.ljust(32, "f"))


def _format(digits: str) -> str:
    groups, start = [], 0
    for length in _UUID_GROUPS:
        groups.append(digits[start : start + length])
        start += length
    return "-".join(groups)
