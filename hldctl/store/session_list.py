"""Queries for lists of sessions, composed from filters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hldctl.states import Status
from hldctl.store.connection import require_order
from hldctl.store.session import Session
from hldctl.store.session_table import SessionTable, run_time
from hldctl.system.orm import SQL

_BATCH_SIZE = 200


class Listing(NamedTuple):
    """The filters and the order of a list of sessions."""

    archived: bool = False
    statuses: tuple[Status, ...] = ()
    created_since: int | None = None
    search: str | None = None
    directory: str | None = None
    """An absolute path; sessions in directories below it match, too."""
    name: str | None = None
    group: str | None = None
    sort: str = "created_at"
    """A column, or `run_time`: the time from start to end."""
    limit: int | None = None
    columns: tuple[str, ...] | None = None
    """The columns to read; None for all. Prompts and results can be long."""

    @property
    def has_filters(self) -> bool:
        """True if sessions that are not archived can be missing in the list."""
        filters = (self.created_since, self.search, self.directory, self.name, self.group)
        return bool(self.statuses) or any(value is not None for value in filters)


def find_sessions(listing: Listing) -> list[Session]:
    """Return the sessions that match, newest or largest first."""
    query = SessionTable.select(*(getattr(SessionTable, name) for name in listing.columns or ()))
    query = filter_sessions(query, listing)
    sort_key = run_time(SessionTable) if listing.sort == "run_time" else getattr(SessionTable, listing.sort)
    query = query.order_by(sort_key.desc(), SQL("rowid").desc())
    return _fetch_sessions(query.limit(listing.limit) if listing.limit is not None else query)


def filter_sessions(query: Any, listing: Listing, table: Any = SessionTable) -> Any:
    """Return the query with the conditions of the listing; `table` is the local one, or that of the fleet's record."""
    if not listing.archived:
        query = query.where(table.archived == False)  # noqa: E712  peewee builds SQL of it
    if listing.statuses:
        query = query.where(table.status.in_([str(status) for status in listing.statuses]))
    if listing.created_since is not None:
        query = query.where(table.created_at >= listing.created_since)
    for word in (listing.search or "").split():
        query = query.where(table.title.contains(word) | table.summary.contains(word) | table.query.contains(word))
    if listing.directory is not None:
        root = listing.directory.rstrip("/")
        # "0" is the character after "/".
        is_below = (table.working_dir >= f"{root}/") & (table.working_dir < f"{root}0")
        query = query.where((table.working_dir == listing.directory) | is_below)
    if listing.name is not None:
        query = query.where(table.name == listing.name)
    if listing.group is not None:
        query = query.where(table.group_name == listing.group)
    return query


def read_sessions(ids: Sequence[str], columns: Sequence[str]) -> Iterator[Session]:
    """Yield these sessions in this order, without those that were deleted.

    They are read in batches, so that not all are in memory at once, and a slow reader does not hold a transaction.
    """
    for start in range(0, len(ids), _BATCH_SIZE):
        batch = ids[start : start + _BATCH_SIZE]
        query = SessionTable.select(*(getattr(SessionTable, name) for name in columns))
        sessions = {session.id: session for session in _fetch_sessions(query.where(SessionTable.id.in_(batch)))}
        yield from (sessions[session_id] for session_id in batch if session_id in sessions)


def _fetch_sessions(query: Any) -> list[Session]:
    sessions: list[Session] = []
    ids = set[str]()
    for row in query.dicts().iterator():
        session = Session.from_columns(row)
        sessions.append(session)
        if "id" in row:
            ids.add(session.id)
            require_order(len(ids) == len(sessions))
    return sessions
