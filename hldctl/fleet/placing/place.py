"""Placing a session: it is in the record before the engine has its job, so that it can be followed at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hldctl.config.fleet import FleetSettings, Share
from hldctl.engines.engine import Engine, Job
from hldctl.fleet import columns
from hldctl.fleet.record import placed
from hldctl.fleet.record.placed import Place
from hldctl.fleet.record.schema import open_current
from hldctl.sessions.permissions.caller import current_user_name
from hldctl.states import Status
from hldctl.system.clock import current_time_ms

_COMMENT = "hldctl:"
# Of an id, in the name of a job.
_SHORT_ID = 8


class Placement(NamedTuple):
    place: Place
    is_repeat: bool
    """True if the session with the chosen id was launched before."""


def place(
    settings: FleetSettings,
    engine: Engine,
    session_id: str,
    values: Mapping[str, Any],
    write_script: Callable[[], str],
    options: Sequence[str],
) -> Placement:
    """Record a session as queued, and submit its job; leave nothing in the record if the engine refuses it.

    `values` are the columns of the session that are known already.
    """
    name = values.get("name")
    job = Job(
        f"hldctl-{name or session_id[:_SHORT_ID]}", comment(session_id), write_script(), name is not None, options
    )
    place = Place(engine.name, None, engine.cluster(), current_user_name())
    now_ms = current_time_ms()
    known = {"id": session_id, "status": Status.QUEUED, "created_at": now_ms, "last_activity_at": now_ms, **values}
    texts = {column: value for column, value in known.items() if column in columns.TEXTS}
    row = {column: value for column, value in known.items() if column not in columns.TEXTS}
    shared = texts if settings.share is Share.ALL else None
    with open_current(settings.url) as record:
        if not placed.insert(record, session_id, row, shared, place):
            found = placed.waiting(record, [session_id]).get(session_id)
            return Placement(found or Place(engine.name), is_repeat=True)
        try:
            number = engine.submit(job)
        except Exception:
            # Not if it was interrupted: the engine may have the job.
            placed.delete(record, session_id)
            raise
        place = place._replace(job=number)
        placed.set_place(record, session_id, place)
    return Placement(place, is_repeat=False)


def comment(session_id: str) -> str:
    """Return the comment by which the job of a session is found."""
    return f"{_COMMENT}{session_id}"
