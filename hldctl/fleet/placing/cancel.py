"""Interrupting sessions whose job waits: the engine removes it, and the record shows them as interrupted."""

from __future__ import annotations

import time
from typing import NamedTuple

from hldctl.engines import catalog
from hldctl.engines.engine import EngineName, JobState
from hldctl.errors import UnfitEnvironment
from hldctl.fleet.placing.jobs import find_job
from hldctl.fleet.record import placed, reading
from hldctl.fleet.record.connection import Connection
from hldctl.fleet.record.placed import Place
from hldctl.sessions.permissions.caller import current_user_name

# For a job that had just begun: the session ends itself, and its machine reports that.
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.2


class Waiting(NamedTuple):
    """A session that has no machine yet."""

    id: str
    place: Place


def find_waiting(record: Connection, ref: str) -> Waiting | None:
    """Return the session that this reference names if no machine has it yet, else None."""
    session_id = reading.find_id(record, ref)
    place = None if session_id is None else placed.waiting(record, [session_id]).get(session_id)
    return None if session_id is None or place is None else Waiting(session_id, place)


def cancel(record: Connection, session: Waiting, *, await_end: bool = True) -> None:
    """Cancel the job of a session, and wait until the record has its end.

    If the job has begun in the meantime, the session ends itself. Raise UnfitEnvironment if the engine cannot do it.
    """
    place = session.place
    label = f"Session {session.id} waits in {place.engine} as job {place.job}"
    if not place.is_known or not catalog.is_here(EngineName(place.engine)):
        raise UnfitEnvironment(f"{label}; interrupt it on a machine that has the commands of {place.engine}.")
    engine = catalog.engine(EngineName(place.engine))
    if place.cluster != engine.cluster():
        raise UnfitEnvironment(f"{label} of the cluster {place.cluster}; interrupt it there.")
    if place.user != current_user_name():
        raise UnfitEnvironment(f"{label} of the user {place.user}, who alone can interrupt it.")
    status = find_job(engine.jobs().values(), session.id, place)
    if status is not None and status.state is not JobState.ENDED:
        engine.cancel(status.job)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while placed.waiting(record, [session.id]):
        status = find_job(engine.jobs().values(), session.id, place)
        if status is None or status.state is JobState.ENDED:
            placed.interrupt(record, session.id)
            return
        if not await_end:
            return
        if time.monotonic() > deadline:
            raise UnfitEnvironment(f"Job {status.job} of {place.engine} was asked to end and is still {status.word}.")
        time.sleep(_POLL_SECONDS)
