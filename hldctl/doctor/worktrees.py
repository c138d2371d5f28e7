"""Checks of worktrees: those without a session, sessions without theirs, and branches that are left over."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings
from hldctl.errors import HldctlError, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.store import worktrees
from hldctl.store.database import open_for_reading
from hldctl.worktrees import remove
from hldctl.worktrees.contents import has_repository, is_present, repository_link
from hldctl.worktrees.git import Git
from hldctl.worktrees.record import BRANCH_PREFIX, Worktree

_SUBJECT = "worktrees"
# A launch makes the worktree first, and its setup may take long.
_YOUNG_SECONDS = 3600.0


def examine(state: StateDirectory) -> Findings:
    """Check the worktrees of all sessions, and those in the state directory."""
    with open_for_reading(state):
        recorded = {
            session_id: (Worktree.from_column(column), column.get("kept"))
            for session_id, column in worktrees.all_worktrees().items()
        }
    known = [worktree for worktree, _ in recorded.values()]
    left = list(_left_worktrees(state, {worktree.path for worktree in known}))
    if not known and not left:
        return
    findings = [*_missing(recorded), *map(_left_finding, left), *_left_branches(known, left)]
    present = sum(is_present(worktree) for worktree in {worktree.path: worktree for worktree in known}.values())
    yield from findings or [Finding(_SUBJECT, Level.OK, f"{present} in use")]


def _missing(recorded: dict[str, tuple[Worktree, str | None]]) -> Findings:
    for session_id, (worktree, kept) in recorded.items():
        if kept is None and not is_present(worktree):
            reason = "is gone" if has_repository(worktree) else f"has lost its repository {worktree.repository}"
            advice = f"The session cannot be continued there; `hldctl continue {session_id[:8]} -C DIR` still can."
            yield Finding(_SUBJECT, Level.NOTE, f"{worktree.path}, of session {session_id}, {reason}", advice)


def _left_worktrees(state: StateDirectory, known: set[str]) -> Iterator[Worktree]:
    """Yield the worktrees in the state directory that no session has, as a launch leaves them that was killed."""
    for path in sorted((state.root / "worktrees").glob("*/*")):
        if str(path) not in known and time.time() - path.stat().st_ctime > _YOUNG_SECONDS:
            link = repository_link(str(path))
            # Not one that a session may have made itself.
            if link is None or link.is_relative_to((state.root / "worktrees").resolve()):
                continue
            if (commit := Git(path).commit("HEAD")) is not None:
                yield Worktree(str(path), f"{BRANCH_PREFIX}{path.name}", commit, commit, str(link.parents[1]))


def _left_finding(worktree: Worktree) -> Finding:
    message = f"{worktree.path} belongs to no session"
    try:
        reason = remove.refusal(worktree)
    except HldctlError as error:
        reason = f"it cannot be examined: {error}"
    if reason is not None:
        advice = f"It may hold work: {reason}. Look at it, then run `git worktree remove {worktree.path}`."
        return Finding(_SUBJECT, Level.WARNING, message, advice)

    def fix() -> str | None:
        ref = remove.remove(worktree, Path(worktree.path).name, Path(worktree.path), force=False)
        return None if ref is None else f"what git ignores is kept in {ref}"

    return Finding(_SUBJECT, Level.WARNING, message, "It holds nothing of its own; --fix removes it.", fix)


def _left_branches(known: list[Worktree], left: list[Worktree]) -> Findings:
    """Yield the branches that hldctl made and that neither a session nor a worktree has."""
    used = {(worktree.repository, worktree.branch) for worktree in (*known, *left)}
    by_repository = {worktree.repository: worktree for worktree in (*known, *left) if has_repository(worktree)}
    for repository, some in by_repository.items():
        listed = some.repository_git.find("for-each-ref", "--format=%(refname:short)", f"refs/heads/{BRANCH_PREFIX}")
        for branch in (listed or "").splitlines():
            if (repository, branch) not in used and f"refs/heads/{branch}" not in remove.checkouts(some).values():
                yield _branch_finding(some._replace(branch=branch, path=os.devnull))


def _branch_finding(worktree: Worktree) -> Finding:
    message = f"the branch {worktree.branch} of {worktree.repository} belongs to no session"

    def fix() -> str | None:
        if not remove.remove_branch(worktree):
            raise UnfitEnvironment(f"{worktree.branch} has commits that no other branch has.")
        return None

    if remove.refusal(worktree) is None:
        return Finding(_SUBJECT, Level.NOTE, message, "Other branches have its commits; --fix deletes it.", fix)
    return Finding(_SUBJECT, Level.NOTE, message, "Other branches lack its commits; merge it, or delete it.")
