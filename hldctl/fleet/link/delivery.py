"""The delivery of batches to the record: each in one transaction with the machine's cursor."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hldctl.errors import HldctlError
from hldctl.fleet import columns
from hldctl.fleet.link.outbox import Batch, SessionRow
from hldctl.fleet.record.connection import Connection, NotAllowed
from hldctl.fleet.record.driver import psycopg
from hldctl.states import FeedType

# Fewer are inserted without COPY, which needs two more round trips.
_MIN_COPIED = 50
_SUPERSEDED = "HL001"

_SESSION_COLUMNS = ("id", "machine_id", "revision", *columns.FILTERS, '"row"', "texts", "team")
_SET = ", ".join(f"{name} = excluded.{name}" for name in _SESSION_COLUMNS[2:])
_UPSERT_SESSION = f"""
INSERT INTO hldctl.sessions AS s ({", ".join(_SESSION_COLUMNS)}) VALUES ({", ".join(["%s"] * len(_SESSION_COLUMNS))})
ON CONFLICT (id) DO UPDATE SET {_SET}, machine_id = excluded.machine_id,
    declared_lost_by = NULL, declared_lost_at = NULL
WHERE s.machine_id = excluded.machine_id OR s.machine_id IS NULL
"""
_IF_CHANGED = "ON CONFLICT (session_id, sequence, month) DO UPDATE SET event = excluded.event"
_CHANGED = "WHERE e.event::text <> excluded.event::text"
_INSERT_EVENT = f"""
INSERT INTO hldctl.events AS e (month, session_id, sequence, event) VALUES (%s, %s, %s, %s) {_IF_CHANGED} {_CHANGED}
"""
_MAKE_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS hldctl_incoming (month date, session_id uuid, sequence integer, event json)
ON COMMIT DELETE ROWS
"""
_TAKE_INCOMING = f"""
INSERT INTO hldctl.events AS e (month, session_id, sequence, event)
SELECT month, session_id, sequence, event FROM hldctl_incoming {_IF_CHANGED} {_CHANGED}
"""
_UPSERT_APPROVAL = """
INSERT INTO hldctl.approvals (id, session_id, status, created_at, input_sha256, "row") VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, "row" = excluded."row"
"""
_INSERT_CHANGE = """
INSERT INTO hldctl.changes (machine_id, id, type, session_id, run_id, "timestamp", data)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
# Sessions first, in the order in which batches are written.
_FORGET = (
    "DELETE FROM hldctl.sessions WHERE id = ANY(%s::uuid[])",
    "DELETE FROM hldctl.events WHERE session_id = ANY(%s::uuid[])",
    "DELETE FROM hldctl.approvals WHERE session_id = ANY(%s::uuid[])",
    f"DELETE FROM hldctl.changes WHERE session_id = ANY(%s::uuid[]) AND type <> '{FeedType.SESSION_DELETED}'",
)


class Superseded(HldctlError):
    """Another link writes for this machine."""


class Delivery:
    """Writes for one machine, on one connection."""

    def __init__(self, connection: Connection, machine_id: str, team: str | None, epoch: int, reached: int) -> None:
        self._connection = connection
        self._machine_id = machine_id
        self._team = team
        self.epoch = epoch
        self.reached = reached
        self._months: set[str] = set()
        self._has_incoming = False

    def send(self, batch: Batch) -> None:
        """Write a batch and advance the cursor in one transaction; raise Superseded if another link writes.

        Sessions that were recorded as those of another role stay as they are.
        """
        try:
            self._send(batch)
        except NotAllowed:
            if not (others := self._ids_of_others(batch.sessions)):
                raise
            self._send(batch.without(others))
        self.reached = batch.last_id

    def _send(self, batch: Batch) -> None:
        month_of = {session.id: _month(session.created_at) for session in batch.sessions}
        self._prepare(month_of.values(), is_copied := len(batch.events) >= _MIN_COPIED)
        events = [(month_of[event.session_id], *event) for event in batch.events]
        try:
            if is_copied:
                # COPY does not work in a pipeline.
                with self._connection.transaction():
                    self._write(batch, ())
                    self._copy(events)
            else:
                with self._connection.pipeline(), self._connection.transaction():
                    self._write(batch, events)
        except psycopg.Error as error:
            if error.sqlstate == _SUPERSEDED:
                raise Superseded(f"Another link writes for the machine {self._machine_id}.") from None
            raise

    def send_sessions(self, sessions: list[SessionRow]) -> None:
        """Write sessions whose columns have changed without a row in the feed, as `send` does."""
        try:
            self._send_sessions(sessions)
        except NotAllowed:
            if not (others := self._ids_of_others(sessions)):
                raise
            self._send_sessions([session for session in sessions if session.id not in others])

    def _send_sessions(self, sessions: list[SessionRow]) -> None:
        with self._connection.pipeline(), self._connection.transaction():
            self._advance(self.reached)
            self._many(_UPSERT_SESSION, [self._session(session, self.reached) for session in sessions])

    def _ids_of_others(self, sessions: list[SessionRow]) -> set[str]:
        """Return the ids of those of these sessions that the record has as those of another role."""
        query = "SELECT hldctl.of_others(%s::uuid[])"
        return {row[0] for row in self._connection.execute(query, ([session.id for session in sessions],)).fetchall()}

    def forget(self, session_ids: list[str]) -> None:
        """Remove sessions that were removed on the machine."""
        with self._connection.pipeline(), self._connection.transaction():
            self._advance(self.reached)
            self._forget(session_ids)

    def _prepare(self, months: Iterable[str], is_copied: bool) -> None:
        for month in {*months} - self._months:
            self._connection.execute("SELECT hldctl.make_month(%s)", (month,))
            self._months.add(month)
        if is_copied and not self._has_incoming:
            self._connection.execute(_MAKE_INCOMING)
            self._has_incoming = True

    def _write(self, batch: Batch, events: Iterable[tuple[str, str, int, str]]) -> None:
        self._advance(batch.last_id)
        self._many(_UPSERT_SESSION, [self._session(session, batch.last_id) for session in batch.sessions])
        self._many(_INSERT_EVENT, list(events))
        self._many(_UPSERT_APPROVAL, batch.approvals)
        self._many(
            _INSERT_CHANGE,
            [(self._machine_id, *change[:-1], json.dumps(change.data)) for change in batch.changes],
        )
        if batch.removed:
            self._forget(batch.removed)

    def _forget(self, session_ids: list[str]) -> None:
        for statement in _FORGET:
            self._connection.execute(statement, (session_ids,))

    def _advance(self, new: int) -> None:
        query = "SELECT hldctl.advance(%s, %s, %s, %s)"
        self._connection.execute(query, (self._machine_id, self.epoch, self.reached, new))

    def _many(self, statement: str, rows: list[Any]) -> None:
        if rows and self._connection.pgconn.pipeline_status != psycopg.pq.PipelineStatus.OFF:
            # Without waiting for answers: `executemany` ends a pipeline of its own, and waits for it.
            for row in rows:
                self._connection.execute(statement, row)
        elif rows:
            with self._connection.cursor() as cursor:
                cursor.executemany(statement, rows)

    def _session(self, session: SessionRow, revision: int) -> tuple[Any, ...]:
        return (session.id, self._machine_id, revision, *session.filters, session.row, session.texts, self._team)

    def _copy(self, events: list[tuple[str, str, int, str]]) -> None:
        with self._connection.cursor() as cursor:
            with cursor.copy("COPY hldctl_incoming (month, session_id, sequence, event) FROM STDIN") as copy:
                for event in events:
                    copy.write_row(event)
            cursor.execute(_TAKE_INCOMING)


def _month(created_ms: int) -> str:
    """Return the first day of the month in which a session was created, which decides where its events are kept."""
    return datetime.fromtimestamp(created_ms / 1000, UTC).strftime("%Y-%m-01")
