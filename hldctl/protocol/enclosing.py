"""The sessions that a process runs in, found by its marker and by its parents."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hldctl.paths import StateDirectory, is_session_id
from hldctl.store import sessions
from hldctl.store.session import Session
from hldctl.system import file_lock
from hldctl.system.processes import ProcessIdentity, ancestor_pids, is_running, is_this_machine

MARKER = "HLDCTL_SESSION_ID"
INTENT = "HLDCTL_INTENT"
"""Variable of a command that was asked from another machine: the number of the intent."""


def marked_session() -> str | None:
    """Return the session that the marker of this process names; None for a marker of another kind, and without one."""
    marker = os.environ.get(MARKER, "")
    return marker if is_session_id(marker) else None


def enclosing_sessions(state: StateDirectory, marker: str | None) -> list[str]:
    """Return the sessions that this process runs in, the innermost first.

    They are found by the parent processes, since a process may clear or change its marker; and by the marker, which may
    name an ended or unknown session. A session that was launched within one of the parents is inside it.
    """
    ids = _parent_sessions(state)
    if not marker or marker in ids:
        return ids
    marked = sessions.get(marker)
    is_inside = marked is not None and bool(ids) and ids[0] in (marked.launchers or ())
    return [marker, *ids] if is_inside else [*ids, marker]


def performer_pid(state: StateDirectory) -> int | None:
    """Return the pid of the parent process that carries out an intent by this command; None without one."""
    if not (request := os.environ.get(INTENT)):
        return None
    lock = state.fleet.intent_lock(os.path.basename(request))
    try:
        pid = int(lock.read_text())
    except (OSError, ValueError):
        return None
    return pid if pid in ancestor_pids() and not file_lock.is_free(lock) else None


def _parents(state: StateDirectory) -> Sequence[int]:
    """Return the pids of the parent processes, up to one that carries out an intent: a session's supervisor may be
    the parent of the link, which is not its part.
    """
    pids, performer = ancestor_pids(), performer_pid(state)
    return pids if performer is None else pids[: pids.index(performer)]


def _parent_sessions(state: StateDirectory) -> list[str]:
    """Return the sessions whose Claude Code or supervisor is a parent of this process, the nearest first."""
    parents = _parents(state)
    distances = {}
    for session in sessions.live_with_pids(parents):
        if (pids := _proven_pids(session, state, parents)) and is_this_machine(session.host, session.boot_id):
            distances[session.id] = min(map(parents.index, pids))
    return sorted(distances, key=distances.__getitem__)


def _proven_pids(session: Session, state: StateDirectory, parents: Sequence[int]) -> list[int]:
    """Return those of these pids that are certainly the session's: a pid alone is not proof."""
    claude = ProcessIdentity(session.pid or 0, session.boot_id or "", session.pid_started or 0)
    pids = [claude.pid] if claude.pid in parents and is_running(claude) else []
    supervisor = session.supervisor_pid or 0
    # A live supervisor also holds its lock.
    if supervisor in parents and not file_lock.is_free(state.session(session.id).lock):
        pids.append(supervisor)
    return pids
