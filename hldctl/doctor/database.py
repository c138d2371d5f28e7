"""Check of the database; a damaged one is rebuilt from the sessions' files and its readable rest."""

from __future__ import annotations

import time
from pathlib import Path

import apsw

from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings, ok_finding
from hldctl.errors import DamagedDatabase, HldctlError, UnfitEnvironment
from hldctl.ingest.replay import recover
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.sessions import supervisors
from hldctl.store import sessions
from hldctl.store.database import open_database, open_for_reading
from hldctl.store.recovery import integrity, salvage
from hldctl.store.recovery.salvage import DamagedCopy, RecoveredRows, SessionRow
from hldctl.supervisor.hooks.pending_hooks import expire_abandoned

_ADVICE = "Run `hldctl doctor --fix`: it sets the file aside and rebuilds the database from the sessions' journals."
# The data that only the database holds, not the journals.
_CONTENTS = {
    "sessions": "session settings",
    "approvals": "permission requests",
    "approval_rules": "permission rules",
    "command_tokens": "command tokens",
    "spending": "amounts spent",
}


def examine(state: StateDirectory) -> Findings:
    try:
        with open_for_reading(state):
            damage = integrity.find_problems()
    except DamagedDatabase as error:
        yield Finding("database", Level.ERROR, str(error), _ADVICE, lambda: rebuild(state))
    except HldctlError as error:
        yield Finding("database", Level.ERROR, str(error))
    else:
        if damage:
            rest = f", and {len(damage) - 1} more" if len(damage) > 1 else ""
            message = f"{state.database} is damaged: {damage[0]}{rest}"
            yield Finding("database", Level.ERROR, message, _ADVICE, lambda: rebuild(state))
        else:
            yield ok_finding("database", f"intact, {state.database.stat().st_size / (1 << 20):.1f} MB")


def rebuild(state: StateDirectory) -> str:
    """Rebuild the database, start supervisors for running sessions, and return a message about lost data.

    Raise UnfitEnvironment while other commands have the database open.
    """
    supervisors.kill_all(state)
    message = rebuild_rows(state)
    with open_database(state):
        supervisors.adopt_all_lost(state)
        expire_abandoned(state)
    return message


def rebuild_rows(state: StateDirectory) -> str:
    """Rebuild the database from the sessions' files and its readable rest; return a message about lost data."""
    backup = integrity.set_aside(state)
    damaged = None
    try:
        damaged = DamagedCopy(backup)
        salvaged = salvage.salvage(damaged, supervisors.ids_with_files(state))
        _make_empty(state, backup)
        with open_database(state):
            # If the last id is unknown, the time in milliseconds is certainly greater.
            integrity.continue_feed_at(salvaged.last_feed_id or time.time_ns() // 1_000_000)
            failed = _restore(state, salvaged, damaged)
    except OSError as error:
        raise UnfitEnvironment(
            f"Cannot rebuild the database {state.database}: {error.strerror or error}. It is kept as {backup}."
        ) from None
    finally:
        if damaged is not None:
            damaged.close()
    if failed:
        raise UnfitEnvironment(
            f"{len(failed)} sessions could not be restored, for example {failed[0]}. {_kept_message(backup)}"
        )
    lost = [_CONTENTS[table] for table in _CONTENTS if table in salvaged.incomplete]
    return (f"some {' and '.join(lost)} could not be read; " if lost else "") + _kept_message(backup)


def _kept_message(backup: Path) -> str:
    return f"The damaged file is kept as {backup}."


def _make_empty(state: StateDirectory, backup: Path) -> None:
    try:
        integrity.make_empty(state)
    except apsw.BusyError:
        integrity.delete_copy(backup)
        raise UnfitEnvironment(
            f"The database {state.database} is in use; stop other hldctl commands, such as tail -f, and try again."
        ) from None
    except apsw.Error as error:
        raise UnfitEnvironment(
            f"Cannot rebuild the database {state.database}: {error}. {_kept_message(backup)}"
        ) from None


def _restore(state: StateDirectory, salvaged: RecoveredRows, damaged: DamagedCopy) -> list[str]:
    """Return the sessions that could not be restored, each with the reason."""
    failed = list[str]()
    ids = {*salvaged.sessions, *supervisors.ids_with_files(state)}
    rows = {session_id: salvaged.sessions.get(session_id, SessionRow()) for session_id in ids}
    for session_id in sorted(ids, key=lambda each: rows[each].certain.get("created_at") or 0):
        files, session = state.session(session_id), rows[session_id]
        try:
            if _recover(files, session) and _journal_size(files) < session.certain.get("journal_offset", 0):
                salvage.restore_conversation(damaged, session_id, session)
        except Exception as error:
            # Restore the others even if one session is unreadable; the copy still has it.
            failed.append(f"{session_id} ({type(error).__name__}: {error})")
    _delete_misnamed(state)
    salvage.restore_permissions(salvaged.permissions)
    salvage.restore_ledger(salvaged.ledger)
    return failed


def _delete_misnamed(state: StateDirectory) -> None:
    """Delete rows whose id was damaged: their sessions exist under the right id, with the files."""
    runs = sessions.run_ids()
    with_files = {run for session_id, run in runs if state.session(session_id).directory.is_dir()}
    for session_id, run in runs:
        if run in with_files and not state.session(session_id).directory.is_dir():
            sessions.delete(session_id)


def _recover(files: SessionFiles, session: SessionRow) -> bool:
    try:
        return recover(files, session.certain, session.doubtful)
    except apsw.ConstraintError:
        # According to their damaged rows, two running sessions have the same name.
        return recover(files, session.certain | {"name": None}, session.doubtful)


def _journal_size(files: SessionFiles) -> int:
    try:
        return files.journal.stat().st_size
    except FileNotFoundError:
        return -1
