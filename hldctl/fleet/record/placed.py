"""The sessions in the record that an engine places: they have no machine until that machine's link writes them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from hldctl.engines.engine import EngineName
from hldctl.fleet import columns
from hldctl.fleet.record.connection import Connection


class Place(NamedTuple):
    """Where an engine has a session."""

    engine: str
    job: str | None = None
    """None until the engine has given a number."""
    cluster: str | None = None
    user: str | None = None
    """The Unix user whose job it is."""
    ended_as: str | None = None
    """The engine's word for the state in which the job was when the session was declared lost."""
    exit_code: int | None = None

    @classmethod
    def from_json(cls, text: str | None) -> Place | None:
        """Return the place in the column; None without one. Unknown members are left out."""
        if text is None:
            return None
        values = json.loads(text)
        return cls(**{name: values[name] for name in cls._fields if name in values})

    def to_json(self) -> str:
        return json.dumps({name: value for name, value in self._asdict().items() if value is not None})

    @property
    def is_known(self) -> bool:
        """True if this hldctl knows the engine."""
        return self.engine in tuple(EngineName)

    @property
    def loss(self) -> str:
        """Why the session was declared lost, as a sentence."""
        name = self.engine if self.job is None else f"{self.engine} job {self.job}"
        ended = f" ({self.ended_as}{'' if not self.exit_code else f', exit code {self.exit_code}'})"
        return f"The {name} is gone{'' if self.ended_as is None else ended}, and nothing was heard of the session."


_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_WAITS = "machine_id IS NULL AND place IS NOT NULL AND completed_at IS NULL"


def insert(
    connection: Connection, session_id: str, values: Mapping[str, Any], texts: Mapping[str, Any] | None, place: Place
) -> bool:
    """Insert a session that has no machine yet; return False if the record has it already.

    `values` are its columns without texts; `texts` are None if they are not shared.
    """
    filters = {name: values.get(name, (texts or {}).get(name)) for name in columns.FILTERS}
    query, summary = (filters[name] or "" for name in ("query", "summary"))
    filters |= {"query": query[: columns.SEARCHED_CHARACTERS], "summary": summary}
    filters |= {"archived": False, "pending_approvals": 0}
    row = json.dumps({name: value for name, value in values.items() if value is not None})
    names = ("id", *filters, "place", '"row"', "texts")
    statement = (
        f"INSERT INTO hldctl.sessions ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"
        " ON CONFLICT (id) DO NOTHING"
    )
    written = None if texts is None else json.dumps(dict(texts))
    return connection.execute(statement, (session_id, *filters.values(), place.to_json(), row, written)).rowcount == 1


def set_place(connection: Connection, session_id: str, place: Place) -> None:
    query = "UPDATE hldctl.sessions SET place = %s, revision = revision + 1 WHERE id = %s"
    connection.execute(query, (place.to_json(), session_id))


def delete(connection: Connection, session_id: str) -> None:
    """Delete a session that no machine has."""
    connection.execute(f"DELETE FROM hldctl.sessions WHERE id = %s AND {_WAITS}", (session_id,))


def waiting(connection: Connection, ids: Collection[str]) -> dict[str, Place]:
    """Return the places of those of these sessions that no machine has yet, and that have not ended."""
    return _places(connection, f"SELECT id, place FROM hldctl.sessions WHERE {_WAITS} AND id = ANY(%s::uuid[])", ids)


def unfinished(connection: Connection, ids: Collection[str]) -> dict[str, Place]:
    """Return the places of those of these sessions that an engine has placed and that have not ended."""
    query = "SELECT id, place FROM hldctl.sessions WHERE place IS NOT NULL AND completed_at IS NULL"
    return _places(connection, f"{query} AND id = ANY(%s::uuid[])", ids)


def _places(connection: Connection, query: str, ids: Collection[str]) -> dict[str, Place]:
    found = {row[0]: Place.from_json(row[1]) for row in connection.execute(query, (list(ids),)).fetchall()}
    return {session_id: place for session_id, place in found.items() if place is not None}


def age_seconds(connection: Connection, session_id: str) -> float:
    """Return for how long the record has had a session, by the server's clock."""
    query = f"SELECT ({_NOW} - created_at) / 1000.0 FROM hldctl.sessions WHERE id = %s"
    row = connection.execute(query, (session_id,)).fetchone()
    return 0.0 if row is None else float(row[0])


def interrupt(connection: Connection, session_id: str) -> bool:
    """Record that a session was interrupted before any machine had it; return False if one has it."""
    query = (
        "UPDATE hldctl.sessions SET status = 'interrupted', end_reason = 'interrupted', revision = revision + 1,"
        f" completed_at = {_NOW} WHERE id = %s AND {_WAITS}"
    )
    return connection.execute(query, (session_id,)).rowcount == 1


def declare_lost(connection: Connection, session_id: str, place: Place) -> None:
    """Record that a session is lost whose job is gone, unless a machine has it by now."""
    query = (
        "UPDATE hldctl.sessions SET declared_lost_by = session_user, status = 'failed', end_reason = 'lost',"
        f" declared_lost_at = {_NOW}, completed_at = {_NOW}, place = %s, revision = revision + 1"
        f" WHERE id = %s AND {_WAITS}"
    )
    connection.execute(query, (place.to_json(), session_id))
