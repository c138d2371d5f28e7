"""Whether the database is whole; one that is not is rebuilt from the sessions' files and what is left of it."""

from __future__ import annotations

import time
from pathlib import Path

import apsw

from hldctl.doctor.check import Finding, Findings, Level, fine
from hldctl.errors import DamagedDatabase, HldctlError, UnfitEnvironment
from hldctl.ingest.replay import recover
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.sessions import supervisors
from hldctl.store import sessions
from hldctl.store.database import opened, reading
from hldctl.store.recovery import integrity, salvage
from hldctl.store.recovery.salvage import DamagedCopy, Salvage, SessionRow
from hldctl.supervisor.pending_hooks import expire_unheard

_ADVICE = "Run `hldctl doctor --fix`: it sets the file aside and rebuilds the database from the sessions' journals."
_CONTENTS = {
    "sessions": "settings of sessions",
    "approvals": "permission requests",
    "approval_rules": "permission rules",
    "command_tokens": "tokens of commands",
}
"""What the tables have that the journals have not."""


def examine(state: StateDirectory) -> Findings:
    try:
        with reading(state):
            found = integrity.damage()
    except DamagedDatabase as error:
        yield Finding("database", Level.ERROR, str(error), _ADVICE, lambda: rebuild(state))
    except HldctlError as error:
        yield Finding("database", Level.ERROR, str(error))
    else:
        if found:
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            message = f"{state.database} is damaged: {found[0]}{more}"
            yield Finding("database", Level.ERROR, message, _ADVICE, lambda: rebuild(state))
        else:
            yield fine("database", f"whole, {state.database.stat().st_size / (1 << 20):.1f} MB")


def rebuild(state: StateDirectory) -> str:
    """Make the database again, with supervisors for what still runs, and say what of it was lost.

    Raises UnfitEnvironment while other commands have it open.
    """
    supervisors.end_all(state)
    said = rebuild_rows(state)
    with opened(state):
        supervisors.adopt_all_lost(state)
        expire_unheard(state)
    return said


def rebuild_rows(state: StateDirectory) -> str:
    """Make the database again from the sessions' files and what can be read of it; say what was lost."""
    aside = integrity.set_aside(state)
    damaged = None
    try:
        damaged = DamagedCopy(aside)
        salvaged = salvage.salvage(damaged, supervisors.ids_with_files(state))
        _make_empty(state, aside)
        with opened(state):
            # Where nobody can tell the last id any more, the time in milliseconds is above it.
            integrity.continue_feed_at(salvaged.last_feed_id or time.time_ns() // 1_000_000)
            failed = _restore(state, salvaged, damaged)
    except OSError as error:
        raise UnfitEnvironment(
            f"The database {state.database} cannot be rebuilt: {error.strerror or error}. It is kept as {aside}."
        ) from None
    finally:
        if damaged is not None:
            damaged.close()
    if failed:
        raise UnfitEnvironment(f"{len(failed)} sessions could not be restored, such as {failed[0]}. {_kept(aside)}")
    lost = [_CONTENTS[table] for table in _CONTENTS if table in salvaged.incomplete]
    return (f"some {' and '.join(lost)} could not be read; " if lost else "") + _kept(aside)


def _kept(aside: Path) -> str:
    return f"The damaged file is kept as {aside}."


def _make_empty(state: StateDirectory, aside: Path) -> None:
    try:
        integrity.make_empty(state)
    except apsw.BusyError:
        integrity.forget(aside)
        raise UnfitEnvironment(
            f"The database {state.database} is in use; end the other hldctl commands, such as tail -f, and try again."
        ) from None
    except apsw.Error as error:
        raise UnfitEnvironment(f"The database {state.database} cannot be rebuilt: {error}. {_kept(aside)}") from None


def _restore(state: StateDirectory, salvaged: Salvage, damaged: DamagedCopy) -> list[str]:
    """Return which sessions could not be restored, and why."""
    failed = list[str]()
    ids = {*salvaged.sessions, *supervisors.ids_with_files(state)}
    rows = {session_id: salvaged.sessions.get(session_id, SessionRow()) for session_id in ids}
    for session_id in sorted(ids, key=lambda known: rows[known].certain.get("created_at") or 0):
        files, session = state.session(session_id), rows[session_id]
        try:
            if _recover(files, session) and _journal_size(files) < session.certain.get("journal_offset", 0):
                salvage.put_conversation_back(damaged, session_id, session)
        except Exception as error:
            # One session that makes no sense is no reason to lose the others; the copy has it.
            failed.append(f"{session_id} ({type(error).__name__}: {error})")
    _delete_misnamed(state)
    salvage.put_back(salvaged.permissions)
    return failed


def _delete_misnamed(state: StateDirectory) -> None:
    """Delete what came of a row with a damaged id: its session is there by its own id, with the files."""
    runs = sessions.runs()
    with_files = {run for session_id, run in runs if state.session(session_id).directory.is_dir()}
    for session_id, run in runs:
        if run in with_files and not state.session(session_id).directory.is_dir():
            sessions.delete(session_id)


def _recover(files: SessionFiles, session: SessionRow) -> bool:
    try:
        return recover(files, session.certain, session.doubtful)
    except apsw.ConstraintError:
        # Of two with the same name that run, by what is left of their rows.
        return recover(files, session.certain | {"name": None}, session.doubtful)


def _journal_size(files: SessionFiles) -> int:
    try:
        return files.journal.stat().st_size
    except FileNotFoundError:
        return -1
