"""Deleting sessions: their files, their rows, and all that belongs to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hldctl.errors import UnfitEnvironment, WrongState
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.sessions import interrupt, supervisors
from hldctl.store import maintenance, sessions
from hldctl.store.database import UNWRITABLE, opened, reading
from hldctl.supervisor import other_namespaces
from hldctl.system import cgroup, file_lock
from hldctl.system.clock import now

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
    with reading(state):
        supervisors.adopt_lost(state, ids)
        unattended = sessions.unattended(ids)
        if force:
            unattended = [found for found in unattended if not other_namespaces.is_over(found, state.session(found.id))]
        busy = [session.id for session in unattended if session.completed_at is not None]
        alive = [session.id for session in unattended if session.completed_at is None]
    if busy:
        raise WrongState(f"{' and '.join(busy)}: ended, but the command for its end still runs; try again after it.")
    if alive and not force:
        raise WrongState(f"{' and '.join(alive)}: not ended; interrupt it first, or say --force.")
    if alive:
        interrupt.interrupt(state, alive)
    yield from _removed(state, ids)


def prunable(state: StateDirectory, *, older_than_seconds: float | None, keep: int | None) -> list[str]:
    """Return those that ended longer ago than that, except the newest `keep`; oldest first.

    A session whose directory belongs to another user is passed over, so that the others are deleted.
    """
    before = now() if older_than_seconds is None else now() - int(older_than_seconds * 1000)
    with reading(state):
        ids = sessions.ended_before(before, keep=keep or 0)
    return [session_id for session_id in ids if state.session(session_id).is_own_directory()]


def prune(state: StateDirectory, ids: Sequence[str]) -> Iterator[Removed]:
    """Removes them, and gives the space that they had in the database back to the file system."""
    yield from _removed(state, ids)
    # What is deleted is deleted, with or without the room to give it back.
    with opened(state), suppress(*UNWRITABLE):
        maintenance.give_back()


def _removed(state: StateDirectory, ids: Sequence[str]) -> Iterator[Removed]:
    """Remove one session after the other; on a full disk, all files before the first row.

    Deleting a row needs some room in the write-ahead log, which the files of this session may not have given.
    """
    without_room: list[Removed] = []
    for session_id in ids:
        removed = Removed(session_id, _delete_files(state, state.session(session_id)))
        if not without_room and _is_row_deleted(state, session_id):
            yield removed
        else:
            without_room.append(removed)
    for removed in without_room:
        with opened(state):
            sessions.delete(removed.session_id)
        yield removed


def _is_row_deleted(state: StateDirectory, session_id: str) -> bool:
    """Delete the row; False if the disk has no room for that."""
    try:
        with opened(state):
            sessions.delete(session_id)
    except UnfitEnvironment as error:
        if isinstance(error.__cause__, UNWRITABLE):
            return False
        raise
    return True


def _delete_files(state: StateDirectory, files: SessionFiles) -> int:
    """Return how many bytes the session's files had.

    The files go before the row: a row without files is taken for what it is, and deleted by the next `rm` or `prune`;
    files without a row are taken for a row that was lost. And on a full disk they make room for deleting the row.
    """
    if not files.directory.exists():
        return 0
    files.require_own_directory()
    size = _size(files)
    held = None
    try:
        if files.lock.exists():
            held = _lock(state, files)
        cgroup.release(files.directory.name, files.cgroup)
        shutil.rmtree(files.directory)
    except OSError as error:
        raise UnfitEnvironment(f"{files.directory} cannot be deleted: {error.strerror or error}.") from None
    finally:
        if held is not None:
            os.close(held)
    return size


def _lock(state: StateDirectory, files: SessionFiles) -> int:
    held = file_lock.acquire(files.lock, _LEAVING_SECONDS)
    if held is None:
        with reading(state):
            is_done = not sessions.unattended([files.directory.name])
        if is_done:
            # Nothing is left for the supervisor to do: it is stopped, or hangs.
            supervisors.end(state, [files.directory.name])
            held = file_lock.acquire(files.lock, timeout=1.0)
    if held is None:
        raise UnfitEnvironment(f"Session {files.directory.name} is still being recorded; try again.")
    return held


def _size(files: SessionFiles) -> int:
    return sum(path.lstat().st_size for path in files.directory.rglob("*"))
