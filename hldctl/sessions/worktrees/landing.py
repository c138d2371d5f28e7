"""Landing of what a session did, and what `diff` and `show` say about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hldctl.errors import WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup, supervisors
from hldctl.store import sessions, worktrees
from hldctl.store.database import open_database, open_for_reading
from hldctl.store.session import Session
from hldctl.worktrees import land as landing
from hldctl.worktrees.compare import Comparison, find_comparison
from hldctl.worktrees.land import Landing, Method
from hldctl.worktrees.record import Worktree

# Characters of the result that a commit message takes over.
_RESULT_LENGTH = 4000


class Landed(NamedTuple):
    session_id: str
    landing: Landing
    kept_ref: str | None
    """The ref that keeps the single commits and what git ignores."""


def land(
    state: StateDirectory, ref: str, method: Method, *, into: str | None, message: str | None, keep: bool
) -> Landed:
    """Bring what a session did into a branch, and remove its worktree unless `keep`; raise WrongState if it runs."""
    with open_for_reading(state):
        session_id = lookup.find_session(ref).id
        supervisors.adopt_lost(state, [session_id])
        session = lookup.find_session(session_id)
        worktree = require_worktree(session)
        users = worktrees.sharing(worktree.path)
        running = [other.id for other in sessions.live_sessions(users)]
    if running:
        raise WrongState(f"{running[0]}: has not ended, and works in {worktree.path}; wait for it, or interrupt it.")
    landed = landing.land(worktree, method, into, message or default_message(session), keep=keep)
    # First: a landing that is killed here is repeated, and then removes the worktree.
    record = {"branch": landed.branch, "commit": landed.commit, "source": landed.source}
    _record(state, users, {"landed": record})
    kept_ref = None if keep else landing.remove_landed(worktree, session_id, state.kept / session_id)
    if kept_ref is not None:
        _record(state, users, {"kept": kept_ref})
    return Landed(session_id, landed, kept_ref)


def _record(state: StateDirectory, session_ids: Sequence[str], values: dict[str, Any]) -> None:
    with open_database(state):
        worktrees.add(session_ids, values)


def require_worktree(session: Session) -> Worktree:
    """Return the session's worktree; raise WrongState without one."""
    if session.worktree is None:
        raise WrongState(f"Session {session.id} has no worktree; start sessions with --worktree to land what they do.")
    return Worktree.from_column(session.worktree)


def default_message(session: Session) -> str:
    """Return the message of a commit: the title, and what the session said at the end."""
    title = " ".join((session.title or session.summary).split())
    result = (session.result_content or "").strip()[:_RESULT_LENGTH]
    return f"{title}\n\n{result}\n" if result and result != title else f"{title}\n"


def load_comparison(state: StateDirectory, ref: str) -> tuple[Session, Comparison | None]:
    """Return a session and what to compare; None if it has no worktree."""
    with open_for_reading(state):
        session_id = lookup.find_session(ref).id
        supervisors.adopt_lost(state, [session_id])
        session = lookup.find_session(session_id)
        if session.worktree is None:
            return session, None
        users = worktrees.sharing(session.worktree["path"])
    worktree = Worktree.from_column(session.worktree)
    return session, find_comparison(worktree, [session_id, *users])


def comparison_object(session: Session, comparison: Comparison) -> dict[str, Any]:
    """Return what `diff --json` prints."""
    from hldctl.worktrees.compare import as_object

    return {"session_id": session.id, **as_object(comparison)}
