"""Queries on the table of sessions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from peewee import SQL

from hldctl.host.processes import ProcessIdentity
from hldctl.states import ENDED, EndReason, Status
from hldctl.store.database import execute
from hldctl.store.models import ConversationEvent, Session, database


def create(session: dict[str, Any], query_event: dict[str, Any]) -> None:
    """The row and its first event, the user's query, together."""
    with database.atomic("IMMEDIATE"):
        Session.insert(session).execute()
        ConversationEvent.insert(query_event).execute()


def get(session_id: str) -> Session | None:
    return Session.get_or_none(Session.id == session_id)


def ids_with_prefix(prefix: str, limit: int = 2) -> list[str]:
    """As a range, so that the primary key serves it."""
    query = Session.select(Session.id).where((Session.id >= prefix) & (Session.id < prefix + "\x7f"))
    return _ids(query.limit(limit))


def newest_with_name(name: str) -> str | None:
    query = Session.select(Session.id).where(Session.name == name).order_by(Session.created_at.desc()).limit(1)
    return next(iter(_ids(query)), None)


def newest() -> str | None:
    return next(iter(_ids(Session.select(Session.id).order_by(SQL("rowid").desc()).limit(1))), None)


def _ids(query: Any) -> list[str]:
    return [row[0] for row in query.tuples()]


def _pairs(query: Any) -> list[tuple[str, str]]:
    return list(query.tuples())


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
    query = Session.select(*(getattr(Session, name) for name in listing.columns or ()))
    if not listing.archived:
        query = query.where(Session.archived == False)  # noqa: E712  peewee builds SQL of it
    if listing.statuses:
        query = query.where(Session.status.in_([str(status) for status in listing.statuses]))
    if listing.created_since is not None:
        query = query.where(Session.created_at >= listing.created_since)
    for word in (listing.search or "").split():
        query = query.where(
            Session.title.contains(word) | Session.summary.contains(word) | Session.query.contains(word)
        )
    query = query.order_by(getattr(Session, listing.sort).desc(), SQL("rowid").desc())
    return list(query.limit(listing.limit) if listing.limit is not None else query)


def alive() -> list[str]:
    """The ids of those that have not ended, oldest first, by a partial index that holds only these."""
    query = Session.select(Session.id).where(Session.completed_at.is_null()).order_by(Session.created_at)
    return _ids(query)


def not_ended(session_ids: Iterable[str]) -> list[Session]:
    """Those of these that have not ended, with no more than says where they run."""
    columns = (Session.id, Session.host, Session.pid, Session.pid_started, Session.boot_id)
    return list(Session.select(*columns).where(Session.id.in_(list(session_ids)) & Session.completed_at.is_null()))


def statuses(session_ids: Iterable[str]) -> dict[str, Status]:
    query = Session.select(Session.id, Session.status).where(Session.id.in_(list(session_ids)))
    return {session_id: Status(status) for session_id, status in _pairs(query)}


def request_interrupt(session_id: str, now: int, grace_ms: int) -> bool:
    """Records the intent; False if the session has ended. A second request may change the grace period."""
    with database.atomic("IMMEDIATE"):
        changed = (
            Session.update(
                status=str(Status.INTERRUPTING),
                interrupt_requested_at=now,
                interrupt_grace_ms=grace_ms,
                last_activity_at=now,
            )
            .where((Session.id == session_id) & Session.completed_at.is_null())
            .execute()
        )
    return bool(changed)


@dataclass(frozen=True)
class Interrupt:
    requested_at: int
    grace_ms: int


def interrupt_request(session_id: str) -> Interrupt | None:
    row = execute(
        "SELECT interrupt_requested_at, interrupt_grace_ms FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    return None if row is None or row[0] is None else Interrupt(row[0], row[1])


def supervised_by(session_id: str, pid: int) -> None:
    with database.atomic("IMMEDIATE"):
        execute("UPDATE sessions SET supervisor_pid = ? WHERE id = ?", (pid, session_id))


def started(session_id: str, process: ProcessIdentity) -> None:
    """Claude Code runs. An interrupt that came meanwhile keeps its status."""
    with database.atomic("IMMEDIATE"):
        execute(
            "UPDATE sessions SET pid = ?, pid_started = ?, boot_id = ?,"
            " status = CASE status WHEN 'starting' THEN 'running' ELSE status END WHERE id = ?",
            (process.pid, process.started, process.boot_id, session_id),
        )


@dataclass(frozen=True)
class Ending:
    """How a session ended."""

    status: Status
    reason: EndReason
    error_message: str | None = None
    exit_code: int | None = None


def end(session_id: str, ending: Ending, now: int) -> None:
    """Decided once: a session that has ended is left as it is."""
    assert ending.status in ENDED
    with database.atomic("IMMEDIATE"):
        execute(
            "UPDATE sessions SET status = ?, end_reason = ?, error_message = ?, exit_code = ?, completed_at = ?,"
            " last_activity_at = max(last_activity_at, ?), duration_ms = coalesce(duration_ms, ? - created_at)"
            " WHERE id = ? AND completed_at IS NULL",
            (
                str(ending.status),
                str(ending.reason),
                ending.error_message,
                ending.exit_code,
                now,
                now,
                now,
                session_id,
            ),
        )
