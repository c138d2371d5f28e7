"""Whether the database is whole; one that is not is made anew from what can be read of it and from the journals."""

from __future__ import annotations

import time

import apsw

from hldctl.errors import HldctlError, NewerDatabase, UnfitEnvironment
from hldctl.host.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.doctor.finding import Finding, Findings, Level, fine
from hldctl.store import integrity
from hldctl.store.database import opened
from hldctl.supervisor.rebuild import recover
from hldctl.supervisor.waiting_hooks import expire_unheard

_ADVICE = "Run `hldctl doctor --fix`: it sets the file aside and rebuilds the database from the sessions' journals."


def examine(state: StateDirectory) -> Findings:
    try:
        with opened(state):
            found = integrity.damage()
    except NewerDatabase as error:
        yield Finding("database", Level.ERROR, str(error))
    except HldctlError as error:
        is_damaged = integrity.is_unreadable(state)
        mend = (lambda: make_anew(state)) if is_damaged else None
        yield Finding("database", Level.ERROR, str(error), _ADVICE if is_damaged else None, mend)
    else:
        if found:
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            message = f"{state.database} is damaged: {found[0]}{more}"
            yield Finding("database", Level.ERROR, message, _ADVICE, lambda: make_anew(state))
        else:
            yield fine("database", f"whole, {state.database.stat().st_size / (1 << 20):.1f} MB")


def make_anew(state: StateDirectory) -> None:
    """Raises UnfitEnvironment while other commands have it open."""
    supervisors.end_all(state)
    aside = integrity.set_aside(state)
    salvaged = integrity.salvage(aside, supervisors.ids_with_files(state))
    try:
        integrity.make_empty(state)
    except apsw.BusyError:
        integrity.forget(aside)
        raise UnfitEnvironment(
            f"The database {state.database} is in use; end the other hldctl commands, such as tail -f, and try again."
        ) from None
    except apsw.Error as error:
        raise UnfitEnvironment(f"The database {state.database} cannot be made anew: {error}.") from None
    with opened(state):
        # Where nobody can tell the last id any more, the time in milliseconds is above it.
        integrity.continue_feed_at(salvaged.last_feed_id or time.time_ns() // 1_000_000)
        _restore(state, salvaged)


def _restore(state: StateDirectory, salvaged: integrity.Salvage) -> None:
    failed = list[str]()
    ids = {*salvaged.sessions, *supervisors.ids_with_files(state)}
    for session_id in sorted(ids, key=lambda known: salvaged.sessions.get(known, {}).get("created_at") or 0):
        try:
            recover(state.session(session_id), salvaged.sessions.get(session_id))
        except apsw.Error as error:
            # One row that makes no sense is no reason to lose the others; the copy has it.
            failed.append(f"{session_id}: {error}")
    supervisors.adopt_all_lost(state)
    integrity.put_back(salvaged.permissions)
    expire_unheard(state)
    if failed:
        raise UnfitEnvironment(f"All was restored but {len(failed)} sessions, such as {failed[0]}.")
