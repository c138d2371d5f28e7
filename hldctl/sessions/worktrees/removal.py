"""Removal of worktrees together with the sessions that worked there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hldctl.errors import HldctlError, WrongState
from hldctl.paths import StateDirectory
from hldctl.store import worktrees
from hldctl.store.database import open_for_reading
from hldctl.worktrees.record import Worktree


def last_users(state: StateDirectory, ids: Collection[str]) -> dict[str, Worktree]:
    """Return the worktrees that no session needs after the deletion of these, each with the last of them to delete.

    A continuation works in the worktree of its parent.
    """
    with open_for_reading(state):
        columns = worktrees.of_sessions(ids)
        if not columns:
            return {}
        users = {column["path"]: set(worktrees.sharing(column["path"])) for column in columns.values()}
    last = {columns[session_id]["path"]: session_id for session_id in ids if session_id in columns}
    return {
        session_id: Worktree.from_column(columns[session_id])
        for path, session_id in last.items()
        if users[path] <= set(ids)
    }


def require_removable(state: StateDirectory, ids: Sequence[str]) -> None:
    """Raise WrongState if a worktree that would be removed holds what exists nowhere else."""
    if problems := refusals(state, ids):
        session_id, reason = next(iter(problems.items()))
        raise WrongState(
            f"{session_id}: {reason}; land or commit that, or use --force, which keeps it in a ref of the repository."
        )


def refusals(state: StateDirectory, ids: Sequence[str]) -> dict[str, str]:
    """Return the sessions whose worktree must not be removed, each with the reason."""
    reasons = {}
    for session_id, worktree in last_users(state, ids).items():
        # Imported here: most sessions have no worktree.
        from hldctl.worktrees import remove

        try:
            reason = remove.refusal(worktree)
        except HldctlError as error:
            reason = f"its worktree {worktree.path} cannot be examined: {error}"
        if reason is not None:
            reasons[session_id] = reason
    return reasons


def remove_worktree(state: StateDirectory, session_id: str, *, force: bool) -> str | None:
    """Remove the worktree of a session unless another one needs it; return the ref that keeps what was only there."""
    if (worktree := last_users(state, [session_id]).get(session_id)) is None:
        return None
    from hldctl.worktrees import remove

    return remove.remove(worktree, session_id, state.kept / session_id, force=force)
