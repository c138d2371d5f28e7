"""What the engines of this machine say of placed sessions: what waits, and what is lost because its job is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from hldctl.engines import catalog
from hldctl.engines.engine import EngineFailed, EngineName, JobState, JobStatus
from hldctl.fleet.placing.place import comment
from hldctl.fleet.record import placed
from hldctl.fleet.record.connection import Connection
from hldctl.fleet.record.placed import Place
from hldctl.sessions.permissions.caller import current_user_name

# A command that submits a job may not have recorded its number yet.
_SUBMIT_SECONDS = 60.0


def look(record: Connection, places: Mapping[str, Place]) -> dict[str, JobStatus]:
    """Return the jobs of these sessions that have not ended, as far as the engines of this machine know them.

    Sessions that still have no machine although their job is gone are declared lost.
    """
    found: dict[str, JobStatus] = {}
    for name in {EngineName(place.engine) for place in places.values() if place.is_known}:
        if not catalog.is_here(name):
            continue
        with suppress(EngineFailed):
            found |= _look_at_engine(record, name, places)
    return found


def _look_at_engine(record: Connection, name: EngineName, places: Mapping[str, Place]) -> dict[str, JobStatus]:
    engine, user = catalog.engine(name), current_user_name()
    # Jobs of others may be hidden.
    own = {session_id: each for session_id, each in places.items() if (each.engine, each.user) == (name, user)}
    if not own:
        return {}
    cluster = engine.cluster()
    jobs = engine.jobs()
    # Read after the jobs: a session whose job has just ended may have got its machine.
    waiting = placed.waiting(record, own)
    found = {}
    for session_id, place in own.items():
        if place.cluster != cluster:
            continue
        status = find_job(jobs.values(), session_id, place)
        if status is not None:
            found[session_id] = status
        if session_id not in waiting:
            continue
        if status is not None and place.job is None:
            placed.set_place(record, session_id, place._replace(job=status.job))
        if status is None and place.job is None and placed.age_seconds(record, session_id) < _SUBMIT_SECONDS:
            continue
        if status is None or status.state is JobState.ENDED:
            _end(record, session_id, place, status)
    return found


def find_job(jobs: Iterable[JobStatus], session_id: str, place: Place) -> JobStatus | None:
    """Return the job of a session; None if the engine does not know it. Numbers may begin again at 1."""
    own = comment(session_id)
    return next((each for each in jobs if each.comment == own and place.job in (None, each.job)), None)


def _end(record: Connection, session_id: str, place: Place, status: JobStatus | None) -> None:
    if status is not None:
        place = place._replace(job=status.job, ended_as=status.word, exit_code=status.exit_code)
    placed.declare_lost(record, session_id, place)
