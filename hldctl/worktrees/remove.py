"""Removal of a worktree and its branch, after everything in it exists elsewhere."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hldctl.errors import WrongState
from hldctl.worktrees.contents import find_contents, has_repository, is_present, is_reachable
from hldctl.worktrees.preserve import preserve
from hldctl.worktrees.record import Worktree


def refusal(worktree: Worktree) -> str | None:
    """Return what keeps the worktree from being removed, as a sentence; None if it may be."""
    if not has_repository(worktree):
        return None
    contents = find_contents(worktree)
    if not contents.needs_decision:
        return None
    return f"its worktree {worktree.path} holds {contents.description()}"


def remove(worktree: Worktree, session_id: str, kept_files: Path, *, force: bool) -> str | None:
    """Remove the worktree and its branch; return the ref that keeps what was only there, None if nothing was.

    Raise WrongState, and remove nothing, if it holds something that only `force` may put aside. A worktree whose
    repository is gone stays on the disk.
    """
    if not has_repository(worktree):
        return None
    contents = find_contents(worktree)
    if contents.needs_decision and not force:
        raise WrongState(f"{session_id}: its worktree {worktree.path} holds {contents.description()}.")
    ref = None if contents.is_empty else preserve(worktree, contents, session_id, kept_files)
    _remove_directory(worktree)
    remove_branch(worktree)
    return ref


def _remove_directory(worktree: Worktree) -> None:
    git = worktree.repository_git
    is_left = not os.path.lexists(worktree.path) and worktree.path in checkouts(worktree)
    # A directory that has stopped being a worktree stays: git cannot say what is in it.
    if is_present(worktree) or is_left:
        git.read("worktree", "remove", "--force", "--force", worktree.path)
    with contextlib.suppress(OSError):
        Path(worktree.path).parent.rmdir()


def remove_branch(worktree: Worktree) -> bool:
    """Delete the branch, unless it is checked out elsewhere, or has a commit that no other ref reaches."""
    git = worktree.repository_git
    tip = git.commit(worktree.branch_ref)
    if tip is None or worktree.branch_ref in checkouts(worktree).values() or not is_reachable(worktree, tip):
        return False
    git.read("update-ref", "-d", worktree.branch_ref, tip)
    return True


def checkouts(worktree: Worktree) -> dict[str, str]:
    """Return the branch of each worktree that git knows, by path."""
    checkouts, path = {}, ""
    for line in worktree.repository_git.read("worktree", "list", "--porcelain").splitlines():
        name, _, value = line.partition(" ")
        if name == "worktree":
            path = value
            checkouts[path] = ""
        elif name == "branch":
            checkouts[path] = value
    return checkouts
