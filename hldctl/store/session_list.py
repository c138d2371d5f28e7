"""Which sessions a listing shows: queries composed of what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL

from hldctl.states import Status
from hldctl.store.connection import require_order
from hldctl.store.models import SessionTable
from hldctl.store.session import Session

_AT_A_TIME = 200


@dataclass(frozen=True)
class Listing:
    """What `ls` asks for."""

    archived: bool = False
    statuses: tuple[Status, ...] = ()
    created_since: int | None = None
    search: str | None = None
    sort: str = "created_at"
    limit: int | None = None
    columns: tuple[str, ...] | None = None
    """All, unless named: queries and results can be long."""


def matching(listing: Listing) -> list[Session]:
    """Newest, or largest, first."""
    query = SessionTable.select(*(getattr(SessionTable, name) for name in listing.columns or ()))
    if not listing.archived:
        query = query.where(SessionTable.archived == False)  # noqa: E712  peewee builds SQL of it
    if listing.statuses:
        query = query.where(SessionTable.status.in_([str(status) for status in listing.statuses]))
    if listing.created_since is not None:
        query = query.where(SessionTable.created_at >= listing.created_since)
    for word in (listing.search or "").split():
        query = query.where(
            SessionTable.title.contains(word) | SessionTable.summary.contains(word) | SessionTable.query.contains(word)
        )
    query = query.order_by(getattr(SessionTable, listing.sort).desc(), SQL("rowid").desc())
    return _found(query.limit(listing.limit) if listing.limit is not None else query)


def read(ids: Sequence[str], columns: Sequence[str]) -> Iterator[Session]:
    """Read these sessions, in this order; one that was deleted is left out.

    They are read some at a time: neither are all in memory at once, nor does a slow reader hold a transaction.
    """
    for start in range(0, len(ids), _AT_A_TIME):
        some = ids[start : start + _AT_A_TIME]
        query = SessionTable.select(*(getattr(SessionTable, name) for name in columns))
        found = {session.id: session for session in _found(query.where(SessionTable.id.in_(some)))}
        yield from (found[session_id] for session_id in some if session_id in found)


def _found(query: Any) -> list[Session]:
    found: list[Session] = []
    ids = set[str]()
    for row in query.dicts().iterator():
        session = Session.from_columns(row)
        found.append(session)
        if "id" in row:
            ids.add(session.id)
            require_order(len(ids) == len(found))
    return found
