"""The link: it sends what is new, says each ten seconds that the machine is heard, and ends when nothing runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import closing, suppress

from hldctl.config import schema
from hldctl.config.fleet import FleetSettings
from hldctl.errors import BadUsage, HldctlError, UnfitEnvironment
from hldctl.fleet import identity
from hldctl.fleet.link import outbox
from hldctl.fleet.link.delivery import Delivery, Superseded
from hldctl.fleet.link.intents import Intents
from hldctl.fleet.link.outbox import SessionRow
from hldctl.fleet.record import machines
from hldctl.fleet.record.connection import Connection, connect, one_sentence
from hldctl.fleet.record.driver import psycopg
from hldctl.fleet.record.schema import require_current
from hldctl.paths import StateDirectory
from hldctl.private_files import replace_private
from hldctl.protocol.link import reached_id
from hldctl.store import feed
from hldctl.store.database import files_to_watch, open_database
from hldctl.system import malloc
from hldctl.system.clock import current_time_ms
from hldctl.system.error_log import log
from hldctl.system.watcher import Wakeup
from hldctl.version import __version__

_BEAT_SECONDS = 10.0
# At most four transactions a second while only events come.
_PAUSE_SECONDS = 0.25
# After the last session has ended: what its supervisor writes afterwards, and the next one.
_LINGER_SECONDS = 1.0
_MIN_BACKOFF_SECONDS, _MAX_BACKOFF_SECONDS = 1.0, 60.0
# Without a session, the link does not wait longer for a server; the next command or session starts another one.
_PATIENCE_SECONDS = 120.0


def run(state: StateDirectory, *, stays: bool = False) -> None:
    """Send what is new until nothing runs and nothing is left; with `stays`, forever. Needs the link's lock."""
    backoff, failing_since = _MIN_BACKOFF_SECONDS, time.monotonic()
    while state.fleet.has_joined:
        link = None
        try:
            with open_database(state):
                link = _Link(state, _settings(), stays=stays)
                link.run()
            return
        except Superseded as error:
            log(str(error))
            return
        except (psycopg.Error, UnfitEnvironment, BadUsage) as error:
            _note_problem(state, error)
        now = time.monotonic()
        if link is not None and link.is_registered:
            backoff, failing_since = _MIN_BACKOFF_SECONDS, now
        if not stays and now - failing_since > _PATIENCE_SECONDS and not _has_live_session(state):
            return
        with closing(Wakeup([state.fleet.directory])) as wakeup:
            wakeup.wait(backoff)
        backoff = min(2 * backoff, _MAX_BACKOFF_SECONDS)


def has_work(state: StateDirectory) -> bool:
    """Return whether a session runs here, or something has not been sent; False if the record cannot be reached."""
    if not state.fleet.has_joined or state.fleet.problem.exists():
        return False
    with suppress(UnfitEnvironment), open_database(state):
        return outbox.has_live_session() or feed.last_given_id() > reached_id(state)
    return False


def _has_live_session(state: StateDirectory) -> bool:
    with suppress(UnfitEnvironment), open_database(state):
        return outbox.has_live_session()
    return True


def _settings() -> FleetSettings:
    if (settings := schema.load().fleet) is None:
        raise BadUsage(f"{schema.path()} has no table `fleet`; run `hldctl fleet join URL`.")
    return settings


def _note_problem(state: StateDirectory, error: Exception) -> None:
    sentence = str(error) if isinstance(error, HldctlError) else one_sentence(error)
    log(sentence)
    with suppress(OSError):
        replace_private(state.fleet.problem, f"{sentence}\n".encode())


class _Link:
    """One connection to the record, and what was sent on it."""

    def __init__(self, state: StateDirectory, settings: FleetSettings, *, stays: bool) -> None:
        self._state = state
        self._settings = settings
        self._stays = stays
        self._identity = identity.load(state)
        self.is_registered = False
        """True if the record could be used."""
        self._sent: dict[str, int] = {}
        """The sessions that may still change without a row in the feed, each with the hash of what was sent."""

    def run(self) -> None:
        with closing(connect(self._settings.url, "hldctl link")) as connection:
            require_current(connection)
            self._delivery = self._register(connection)
            self._connection = connection
            self._intents = Intents(self._state, connection, self._identity.machine_id)
            malloc.release_free_memory()
            self._follow()

    def _register(self, connection: Connection) -> Delivery:
        team = self._team(connection)
        registration = machines.register(connection, self._identity, current_time_ms(), team)
        if registration is None:
            raise UnfitEnvironment(
                f"Another machine writes to the fleet's record with the UUID of this one, "
                f"{self._identity.machine_id}: one state directory is a copy of the other. Run "
                "`hldctl fleet join --new-identity` on one of them."
            )
        if feed.last_given_id() < registration.reached:
            # The database was replaced by an older copy.
            self._identity = self._identity._replace(life=identity.renew_life())
            registration = machines.register(connection, self._identity, current_time_ms(), team) or registration
        with suppress(FileNotFoundError):
            self._state.fleet.problem.unlink()
        self._note_reached(registration.reached)
        self.is_registered = True
        return Delivery(connection, self._identity.machine_id, team, registration.epoch, registration.reached)

    def _team(self, connection: Connection) -> str | None:
        """Return the team of the machine; None if the role of the connection is not, or no longer, a member."""
        if (team := self._settings.team) is None or machines.is_in_team(connection, team):
            return team
        log(f"{connection.info.user} is not a member of the team {team}, so the team does not see what is here")
        return None

    def _follow(self) -> None:
        self._send_removals()
        self._send_live()
        # The log of the database exists as long as this process has it open.
        wal = [path for path in files_to_watch(self._state) if path != self._state.root]
        watched = [*wal, self._state.fleet.directory]
        next_beat = sent_at = active_at = 0.0
        with closing(Wakeup(watched, descriptors=[self._connection.fileno()])) as wakeup:
            while self._state.fleet.has_joined:
                pause = sent_at + _PAUSE_SECONDS - time.monotonic()
                if pause > 0 and outbox.can_wait(self._delivery.reached):
                    time.sleep(pause)
                if (batch := outbox.read_batch(self._delivery.reached, self._settings.share)) is not None:
                    self._send(batch)
                    sent_at = active_at = time.monotonic()
                    if batch.is_full:
                        continue
                now = time.monotonic()
                if now >= next_beat:
                    self._beat()
                    next_beat = now + _BEAT_SECONDS
                self._intents.step(now)
                if self._stays or self._intents.are_open or outbox.has_live_session():
                    active_at = now
                elif now >= active_at + _LINGER_SECONDS:
                    self._send_late_columns()
                    machines.rest(self._connection, self._identity.machine_id, self._delivery.epoch)
                    return
                if batch is None:
                    wakeup.wait(
                        max(0.0, min(next_beat, active_at + _LINGER_SECONDS if not self._stays else next_beat) - now)
                    )
                    _require_open(self._connection)
                    self._intents.read_notifications()

    def _send(self, batch: outbox.Batch) -> None:
        self._delivery.send(batch)
        self._note_reached(batch.last_id)
        # While it catches up, those that have ended are complete, and there may be many.
        self._note_sent(session for session in batch.sessions if not (batch.is_full and session.has_ended))

    def _send_live(self) -> None:
        """Send the live sessions as they are: they may have been declared lost, or have changed without a feed row."""
        machine_id = self._identity.machine_id
        if gone := outbox.missing_ids(machines.live_session_ids(self._connection, machine_id)):
            # They were lost with a database that could not be rebuilt completely.
            machines.declare_lost(self._connection, machine_id, gone)
        if live := outbox.read_sessions(outbox.live_ids(), self._settings.share):
            self._delivery.send_sessions(live)
            self._note_sent(live)

    def _send_removals(self) -> None:
        """Let the record forget what was removed: it may be an older copy of itself, which has it again."""
        if removed := outbox.removed_ids():
            self._delivery.forget(removed)
            outbox.delete_old_tombstones(current_time_ms())

    def _beat(self) -> None:
        counts = outbox.live_counts()
        about = {
            "version": __version__,
            "statuses": counts,
            "max_running": schema.load().max_running,
            "last_id": feed.last_given_id(),
            "pid": os.getpid(),
        }
        if not machines.beat(self._connection, self._identity.machine_id, self._delivery.epoch, about):
            raise Superseded(f"Another link writes for the machine {self._identity.machine_id}.")
        self._send_late_columns()

    def _send_late_columns(self) -> None:
        """Send the sessions whose columns have changed since they were sent, such as tokens; drop those that ended."""
        current = outbox.read_sessions(self._sent, self._settings.share)
        changed = [session for session in current if hash(session) != self._sent[session.id]]
        if changed:
            self._delivery.send_sessions(changed)
        self._sent = {}
        self._note_sent(session for session in current if not session.has_ended or session in changed)

    def _note_sent(self, sessions: Iterable[SessionRow]) -> None:
        self._sent |= {session.id: hash(session) for session in sessions}

    def _note_reached(self, reached: int) -> None:
        with suppress(OSError):
            replace_private(self._state.fleet.reached, str(reached).encode())


def _require_open(connection: Connection) -> None:
    """Raise OperationalError if the server has closed the connection, which made its descriptor readable."""
    connection.pgconn.consume_input()
    if connection.pgconn.status != psycopg.pq.ConnStatus.OK:
        raise psycopg.OperationalError("the server closed the connection")
