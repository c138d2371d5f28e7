"""A replica of some sessions that follows the record, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw

from hldctl.engines.engine import JobStatus
from hldctl.errors import UnfitEnvironment
from hldctl.fleet.record import machines, placed, reading
from hldctl.fleet.record.connection import Connection, connect, one_sentence
from hldctl.fleet.record.driver import psycopg
from hldctl.fleet.record.machines import Machine
from hldctl.fleet.record.placed import Place
from hldctl.fleet.record.reading import RecordedRow
from hldctl.fleet.replica import directory, rows
from hldctl.paths import StateDirectory
from hldctl.private_files import ensure_exists, touch

_POLL_SECONDS = 0.1
_MACHINES_SECONDS = 2.0
_JOBS_SECONDS = 5.0
_MAX_BACKOFF_SECONDS = 10.0
# A thread that waits for the server is left to itself.
_STOP_SECONDS = 1.0
_PAGE_EVENTS = 1000
_BATCH_SESSIONS = 500
# Events of a session that is only listed: enough to see what it is doing.
OUTLINE_EVENTS = 30


class Mirror:
    """The sessions with these ids, in a replica."""

    def __init__(
        self,
        state: StateDirectory,
        url: str,
        ids: Sequence[str],
        report: Callable[[str], None] = lambda text: None,
        find: Callable[[Connection], list[str]] | None = None,
    ) -> None:
        """`report` gets a sentence when the record cannot be reached while it is followed.

        `find` returns the ids of sessions, of which new ones are added while it is followed.
        """
        self.state = state
        self.ids = list(ids)
        self.machine_of: dict[str, Machine] = {}
        """The machine of each session."""
        self.owner_of: dict[str, str] = {}
        self.place_of: dict[str, Place] = {}
        """Where an engine has a session."""
        self.job_of: dict[str, JobStatus] = {}
        """What an engine of this machine says of the job of a session that has not ended."""
        self._url = url
        self._report = report
        self._find = find
        self._revisions: dict[str, int] = {}
        self._reached: dict[str, int] = {}
        """The id of the last change of each session that the replica has or need not have."""
        self._machine_ids: dict[str, str] = {}
        self._is_over = threading.Event()
        self._looked_at = 0.0
        self._looked_at_jobs = 0.0
        self._thread: threading.Thread | None = None

    def load(self, record: Connection, *, with_texts: bool = True, with_events: bool = True) -> None:
        """Copy the sessions; without `with_events`, only the last events of those that have not ended."""
        # First, since a session may be lost.
        self._look_at_jobs(record, self.ids)
        with _open(self.state) as database:
            # The oldest first, so that the newest has the highest number.
            for start in range(0, len(self.ids), _BATCH_SESSIONS):
                batch = self.ids[::-1][start : start + _BATCH_SESSIONS]
                self._add(database, record, batch, with_texts=with_texts, with_events=with_events)
        self._look_at_machines(record)

    def _add(
        self, database: apsw.Connection, record: Connection, ids: Sequence[str], *, with_texts: bool, with_events: bool
    ) -> None:
        if not with_events:
            # Only what comes after the session itself.
            self._reached |= reading.last_change_ids(record, ids)
        found = reading.read_sessions(record, ids, with_texts=with_texts)
        self._note(found)
        live = [row.id for row in found if row.row.get("completed_at") is None]
        with database:
            rows.write_sessions(database, found)
            listed = [row.id for row in found] if with_events else live
            rows.write_approvals(database, reading.session_approvals(record, listed))
            for row in found:
                self._revisions[row.id] = row.revision
                if with_events:
                    self._copy_events(database, record, row.id)
                    self._copy_changes(database, record, row.id)
                elif row.id in live:
                    rows.write_events(database, reading.last_events(record, row.id, OUTLINE_EVENTS))
        if with_events:
            for row in found:
                files = self.state.session(row.id)
                files.directory.mkdir(mode=0o700)
                ensure_exists(files.change_signal)

    def _note(self, found: Sequence[RecordedRow]) -> None:
        """Note whose these sessions are, and where."""
        machine_ids = {row.id: row.machine_id for row in found if row.machine_id is not None}
        if not machine_ids.items() <= self._machine_ids.items():
            # Also for a session that an engine has given a machine since.
            self._machine_ids |= machine_ids
            self._looked_at = 0.0
        self.owner_of |= {row.id: row.owner for row in found}
        self.place_of |= {row.id: row.place for row in found if row.place is not None}

    def _look_at_jobs(self, record: Connection, ids: Collection[str]) -> None:
        if ids and (places := placed.unfinished(record, ids)):
            # Imported here: few sessions are placed by an engine.
            from hldctl.fleet.placing import jobs

            self.job_of = jobs.look(record, places)
        self._looked_at_jobs = time.monotonic()

    def names_by_host(self) -> dict[str, str]:
        """Return the name of each machine by the host that the sessions in the replica have."""
        names = {rows.host(machine.id): machine.label for machine in self.machine_of.values()}
        return {rows.host(None): "no machine yet", **names}

    def owners_by_host(self) -> dict[str, str]:
        """Return the owner of each machine by the host that the sessions in the replica have."""
        owners = {rows.host(machine.id): machine.owner for machine in self.machine_of.values()}
        return {rows.host(None): "no machine yet", **owners}

    def follow(self) -> None:
        """Start to copy what changes, until `stop`."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        backoff = _POLL_SECONDS
        record: Connection | None = None
        while not self._is_over.wait(backoff):
            try:
                record = record or connect(self._url)
                self._poll(record)
                backoff = _POLL_SECONDS
            except (psycopg.Error, UnfitEnvironment, apsw.Error) as error:
                if backoff == _POLL_SECONDS:
                    self._report(f"the fleet's record cannot be read, trying again: {one_sentence(error)}")
                if record is not None:
                    record.close()
                record, backoff = None, min(2 * backoff, _MAX_BACKOFF_SECONDS)
        if record is not None:
            record.close()

    def _poll(self, record: Connection) -> None:
        if self._find is not None and (new := [each for each in self._find(record) if each not in self._revisions]):
            with _open(self.state) as database:
                self._add(database, record, new[::-1], with_texts=False, with_events=False)
            self._looked_at = 0.0
        if time.monotonic() - self._looked_at_jobs > _JOBS_SECONDS:
            # Not of those that run: an engine that does not answer would delay what they do.
            self._look_at_jobs(record, self.place_of.keys() & self._revisions.keys() - self._machine_ids.keys())
        if time.monotonic() - self._looked_at > _MACHINES_SECONDS:
            self._look_at_machines(record)
        current = reading.revisions(record, self._revisions)
        for session_id, revision in list(self._revisions.items()):
            if session_id not in current:
                self._remove(session_id)
            elif current[session_id] != revision:
                self._update(record, session_id)
                self._revisions[session_id] = current[session_id]

    def _update(self, record: Connection, session_id: str) -> None:
        found = reading.read_sessions(record, [session_id])
        self._note(found)
        with _open(self.state) as database, database:
            open_calls = database.execute(
                "SELECT sequence FROM conversation_events WHERE session_id = ? AND event_type = 'tool_call'"
                " AND is_completed = 0",
                (session_id,),
            ).fetchall()
            self._copy_events(database, record, session_id)
            if open_calls:
                rows.write_events(
                    database, reading.events_at(record, session_id, [int(str(row[0])) for row in open_calls])
                )
            rows.write_approvals(database, reading.session_approvals(record, [session_id]))
            self._copy_changes(database, record, session_id)
            # Last, so that a session that has ended has all its events.
            rows.write_sessions(database, found)
        touch(self.state.session(session_id).change_signal)

    def _copy_changes(self, database: apsw.Connection, record: Connection, session_id: str) -> None:
        changes = reading.session_changes(record, session_id, self._reached.get(session_id, 0))
        if changes:
            is_of_one_machine = self._find is None and len({*self._machine_ids.values()}) == 1
            rows.write_changes(database, changes, keeps_ids=is_of_one_machine)
            self._reached[session_id] = changes[-1][0]

    def _copy_events(self, database: apsw.Connection, record: Connection, session_id: str) -> None:
        after = _number(database, "SELECT max(sequence) FROM conversation_events WHERE session_id = ?", session_id)
        while page := reading.events_after(record, session_id, after, _PAGE_EVENTS):
            rows.write_events(database, page)
            after = page[-1]["sequence"]

    def _remove(self, session_id: str) -> None:
        with _open(self.state) as database, database:
            for table, column in (
                ("conversation_events", "session_id"),
                ("approvals", "session_id"),
                ("sessions", "id"),
            ):
                database.execute(f"DELETE FROM {table} WHERE {column} = ?", (session_id,))
        del self._revisions[session_id]
        touch(self.state.session(session_id).change_signal)

    def _look_at_machines(self, record: Connection) -> None:
        self._looked_at = time.monotonic()
        found = machines.find_machines(record, list({*self._machine_ids.values()}))
        self.machine_of = {
            session_id: found[machine_id] for session_id, machine_id in self._machine_ids.items() if machine_id in found
        }


def _number(database: apsw.Connection, query: str, session_id: str) -> int:
    """Return the query's number; 0 if it is NULL."""
    row: Any = database.execute(query, (session_id,)).fetchall()[0]
    return int(row[0] or 0)


@contextmanager
def _open(state: StateDirectory) -> Iterator[apsw.Connection]:
    """Open the replica's database for the block."""
    connection = directory.connect(state)
    try:
        yield connection
    finally:
        connection.close()
