"""Deletion of sessions with their files, rows and cgroups."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hldctl.errors import UnfitEnvironment, WrongState
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import touch
from hldctl.protocol.link import reached_id
from hldctl.sessions import interrupt, supervisors
from hldctl.sessions.worktrees import removal as worktree_removal
from hldctl.store import feed, maintenance, sessions
from hldctl.store.admission.predecessors import waiting_dependants
from hldctl.store.database import UNWRITABLE, open_database, open_for_reading
from hldctl.store.search.update import forget_session
from hldctl.supervisor.processes import other_namespaces
from hldctl.system import cgroup, file_lock
from hldctl.system.clock import current_time_ms

# A supervisor exits within this time after the end of its session.
_EXIT_SECONDS = 10.0


@dataclass(frozen=True)
class DeletedSession:
    """A session that was deleted."""

    session_id: str
    freed_bytes: int
    """The size of its files in bytes."""
    kept_ref: str | None = None
    """The ref that keeps what was only in its worktree."""


def delete_sessions(state: StateDirectory, ids: Sequence[str], *, force: bool = False) -> Iterator[DeletedSession]:
    """Delete the sessions and yield each once it is deleted.

    Raise WrongState, before anything is deleted, if one has not ended, or another session is to start after it. `force`
    interrupts it first, and ends the other session as failed.
    """
    with open_for_reading(state):
        supervisors.adopt_lost(state, ids)
        unattended = sessions.needing_supervisor(ids)
        if force:
            unattended = [
                session for session in unattended if not other_namespaces.is_over(session, state.session(session.id))
            ]
        busy = [session.id for session in unattended if session.completed_at is not None]
        alive = [session.id for session in unattended if session.completed_at is None]
        awaited = waiting_dependants(ids)
    if in_terminal := [session_id for session_id in ids if _is_in_terminal(state.session(session_id), force=force)]:
        raise WrongState(f"{' and '.join(in_terminal)}: is open in a terminal; leave Claude Code there first.")
    if busy:
        raise WrongState(f"{' and '.join(busy)}: the --on-end command is still running; try again when it has ended.")
    if alive and not force:
        raise WrongState(f"{' and '.join(alive)}: has not ended; interrupt it first, or use --force.")
    if not force and (waiting := [each for each in awaited.items() if not set(ids).issuperset(each[1])]):
        needed, dependants = waiting[0]
        raise WrongState(
            f"{needed}: {' and '.join(dependants)} is to start after it and needs its result; interrupt that first, or "
            "use --force, which ends that as failed."
        )
    if alive:
        interrupt.interrupt_sessions(state, alive)
    if not force:
        worktree_removal.require_removable(state, ids)
    yield from _delete_all(state, ids, force=force, leaves_tombstone=state.fleet.has_joined)


def _is_in_terminal(files: SessionFiles, *, force: bool) -> bool:
    """Return whether words are still being said, or must still be recorded, which `force` gives up."""
    # Unlike Path.exists, os.path.exists does not raise for a directory that cannot be searched.
    return os.path.exists(files.open_record) and not (force and file_lock.is_free(files.open_lock))


def prunable_ids(state: StateDirectory, *, older_than_seconds: float | None, keep: int | None) -> list[str]:
    """Return the sessions that ended longer ago than `older_than_seconds`, except the newest `keep`; oldest first.

    Sessions after which others are still to start, sessions that are open in a terminal, those whose directory belongs
    to another user, and those that the record of the fleet does not have yet are skipped.
    """
    before = current_time_ms() if older_than_seconds is None else current_time_ms() - int(older_than_seconds * 1000)
    with open_for_reading(state):
        ids = sessions.ids_ended_before(before, keep=keep or 0)
        awaited = waiting_dependants(ids)
        # What the fleet's record does not have yet would never be there.
        unsent = set[str]() if not state.fleet.has_joined else feed.sessions_after(reached_id(state))
    return [
        session_id
        for session_id in ids
        if session_id not in awaited
        and session_id not in unsent
        and (files := state.session(session_id)).is_own_directory()
        and not _is_in_terminal(files, force=False)
    ]


def count_sessions(state: StateDirectory) -> int:
    """Return the number of all sessions."""
    with open_for_reading(state):
        return sessions.count()


def prune(state: StateDirectory, ids: Sequence[str]) -> Iterator[DeletedSession]:
    """Delete the sessions, yield each, and return their space in the database to the file system."""
    yield from _delete_all(state, ids)
    # The sessions are deleted even without the room to shrink the database.
    with open_database(state), suppress(*UNWRITABLE):
        maintenance.return_free_space()


def _delete_all(
    state: StateDirectory, ids: Sequence[str], *, force: bool = False, leaves_tombstone: bool = False
) -> Iterator[DeletedSession]:
    """Delete one session after the other; on a full disk, all files before the first row.

    Deleting a row needs some room in the write-ahead log, which the files of this session may not have freed.
    """
    without_row_room: list[DeletedSession] = []
    for session_id in ids:
        # First: while its row and its files exist, the removal of its worktree can be repeated.
        kept_ref = worktree_removal.remove_worktree(state, session_id, force=force)
        removed = DeletedSession(session_id, _delete_files(state, state.session(session_id)), kept_ref)
        if not without_row_room and _delete_row(state, session_id, leaves_tombstone=leaves_tombstone):
            yield removed
        else:
            without_row_room.append(removed)
    for removed in without_row_room:
        with open_database(state):
            sessions.delete(removed.session_id, current_time_ms(), leaves_tombstone=leaves_tombstone)
            forget_session(state, removed.session_id)
            _end_dependants(state, removed.session_id)
        yield removed


def _delete_row(state: StateDirectory, session_id: str, *, leaves_tombstone: bool) -> bool:
    """Delete the row; return False if the disk has no room for that."""
    try:
        with open_database(state):
            sessions.delete(session_id, current_time_ms(), leaves_tombstone=leaves_tombstone)
            forget_session(state, session_id)
            _end_dependants(state, session_id)
    except UnfitEnvironment as error:
        if isinstance(error.__cause__, UNWRITABLE):
            return False
        raise
    return True


def _end_dependants(state: StateDirectory, deleted_id: str) -> None:
    """Wake the sessions that were to start after a deleted one; their supervisors end them."""
    for session_id in waiting_dependants([deleted_id]).get(deleted_id, []):
        touch(state.session(session_id).wake_signal)


def _delete_files(state: StateDirectory, files: SessionFiles) -> int:
    """Delete the session's files and return their size in bytes.

    The files are deleted before the row: a row without files is recognised as such, and deleted by the next `rm` or
    `prune`, but files without a row look like a lost row. On a full disk, they also make room for deleting the row.
    """
    if not files.directory.exists():
        return 0
    files.require_own_directory()
    size = _size(files)
    lock_fd = None
    try:
        if files.lock.exists():
            lock_fd = _acquire_lock(state, files)
        cgroup.release(files.directory.name, files.cgroup)
        shutil.rmtree(files.directory)
    except OSError as error:
        raise UnfitEnvironment(f"Cannot delete {files.directory}: {error.strerror or error}.") from None
    finally:
        if lock_fd is not None:
            os.close(lock_fd)
    return size


def _acquire_lock(state: StateDirectory, files: SessionFiles) -> int:
    lock_fd = file_lock.acquire(files.lock, _EXIT_SECONDS)
    if lock_fd is None:
        with open_for_reading(state):
            is_done = not sessions.needing_supervisor([files.directory.name])
        if is_done:
            # The supervisor has nothing left to do: it is stopped, or hangs.
            supervisors.kill_supervisors(state, [files.directory.name])
            lock_fd = file_lock.acquire(files.lock, timeout=1.0)
    if lock_fd is None:
        raise UnfitEnvironment(f"Session {files.directory.name} is still being recorded; try again.")
    return lock_fd


def _size(files: SessionFiles) -> int:
    return sum(path.lstat().st_size for path in files.directory.rglob("*"))
