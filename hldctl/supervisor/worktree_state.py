"""The numbers about a worktree in the row of its session."""

from __future__ import annotations

from hldctl.errors import HldctlError
from hldctl.store import worktrees
from hldctl.store.session import Session
from hldctl.system.error_log import log


def record(session: Session) -> None:
    """Record what is in the session's worktree now, if it has one; an error is only logged."""
    if session.worktree is None:
        return
    # Imported here: most sessions have no worktree.
    from hldctl.worktrees.record import Worktree
    from hldctl.worktrees.state import read_state

    try:
        state = read_state(Worktree.from_column(session.worktree))
    except HldctlError as error:
        log(str(error))
        return
    if state is not None:
        worktrees.add([session.id], state)


def add_current_state(session: Session) -> Session:
    """Return the session with what is in its worktree now, if that can be found out."""
    if session.worktree is None:
        return session
    from hldctl.worktrees.record import Worktree
    from hldctl.worktrees.state import read_state

    try:
        state = read_state(Worktree.from_column(session.worktree))
    except HldctlError:
        return session
    return Session.from_columns({**vars(session), "worktree": {**session.worktree, **(state or {})}})
