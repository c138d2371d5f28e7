"""Deleting sessions: their files, their rows, and all that belongs to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hldctl.errors import UnfitEnvironment, WrongState
from hldctl.host import lock
from hldctl.host.clock import now
from hldctl.host.paths import SessionFiles, StateDirectory
from hldctl.sessions import stopping, supervisors
from hldctl.store import sessions, space
from hldctl.store.database import opened

_LEAVING_SECONDS = 10.0
"""In which a supervisor whose session has ended is gone."""


@dataclass(frozen=True)
class Removed:
    session_id: str
    freed: int
    """Bytes of its files."""


def remove(state: StateDirectory, ids: Sequence[str], *, force: bool = False) -> Iterator[Removed]:
    """Each as it is gone. Raises WrongState, before anything is touched, for one that has not ended, unless `force`
    interrupts it first.
    """
    with opened(state):
        supervisors.adopt_lost(state, ids)
        busy = [session.id for session in sessions.unattended(ids) if session.completed_at is not None]
        alive = [session.id for session in sessions.not_ended(ids)]
    if busy:
        raise WrongState(f"{' and '.join(busy)}: ended, but the command for its end still runs; try again after it.")
    if alive and not force:
        raise WrongState(f"{' and '.join(alive)}: not ended; interrupt it first, or say --force.")
    if alive:
        stopping.interrupt(state, alive)
    for session_id in ids:
        with opened(state):
            yield _remove(state, session_id)


def prunable(state: StateDirectory, *, older_than_seconds: float | None, keep: int | None) -> list[str]:
    """Those that ended longer ago than that, but for the newest `keep`; oldest first."""
    before = now() if older_than_seconds is None else now() - int(older_than_seconds * 1000)
    with opened(state):
        return sessions.ended_before(before, keep=keep or 0)


def prune(state: StateDirectory, ids: Sequence[str]) -> Iterator[Removed]:
    """Removes them, and gives the space that they had in the database back to the file system."""
    for session_id in ids:
        with opened(state):
            yield _remove(state, session_id)
    with opened(state):
        space.give_back()


def _remove(state: StateDirectory, session_id: str) -> Removed:
    files = state.session(session_id)
    freed = _size(files)
    # The files first: a row without files is taken for what it is, files without a row for a row that was lost.
    _delete_files(state, files)
    sessions.delete(session_id)
    return Removed(session_id, freed)


def _delete_files(state: StateDirectory, files: SessionFiles) -> None:
    if not files.directory.exists():
        return
    held = lock.acquire(files.lock, _LEAVING_SECONDS)
    if held is None and not sessions.unattended([files.directory.name]):
        # Nothing is left for the supervisor to do: it is stopped, or hangs.
        supervisors.end(state, [files.directory.name])
        held = lock.acquire(files.lock, timeout=1.0)
    if held is None:
        raise UnfitEnvironment(f"Session {files.directory.name} is still being recorded; try again.")
    try:
        shutil.rmtree(files.directory)
    except OSError as error:
        raise UnfitEnvironment(f"{files.directory} cannot be deleted: {error.strerror or error}.") from None
    finally:
        os.close(held)


def _size(files: SessionFiles) -> int:
    return sum(path.lstat().st_size for path in files.directory.rglob("*"))
