"""Landing: what a session did in its worktree becomes part of a branch, or nothing changes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from hldctl.errors import BadUsage, WrongState
from hldctl.system import file_lock
from hldctl.worktrees import remove
from hldctl.worktrees.contents import find_repositories, is_present
from hldctl.worktrees.git import Git, GitError, text
from hldctl.worktrees.index import copied_index
from hldctl.worktrees.record import Worktree
from hldctl.worktrees.status import session_status

# The longest time that other landings in the repository may take.
_LOCK_SECONDS = 600.0
# Without what the user's settings add to it: hooks, and changes of other branches.
_REBASE = ("-c", "rebase.updateRefs=false", "-c", f"core.hooksPath={os.devnull}", "rebase", "--quiet")
# Files that an error names.
_MAX_NAMED = 5


class Method(StrEnum):
    """How commits are brought into a branch."""

    SQUASH = "squash"
    MERGE = "merge"
    REBASE = "rebase"


class Landing(NamedTuple):
    """The result of a landing."""

    branch: str
    commit: str
    files: int
    """How many files of the branch have changed."""


def land(worktree: Worktree, method: Method, into: str | None, message: str, *, keep: bool) -> Landing:
    """Bring everything in the worktree, committed or not, into a branch; `keep` says that the worktree stays after it.

    Raise WrongState, and change neither the branch nor the worktree, if that is not possible: conflicts are named.
    """
    if not is_present(worktree):
        raise WrongState(f"The worktree {worktree.path} is gone; there is nothing to land.")
    with _alone_in(worktree):
        branch = _target(worktree, into)
        target = worktree.repository_git.commit(f"refs/heads/{branch}")
        assert target is not None
        checkout = _checkout_of(worktree, branch)
        if checkout is not None:
            _require_clean(checkout, branch)
        source = _source(worktree, message, keep=keep)
        commit = _combined(worktree, method, target, source, message, branch)
        _advance(worktree, branch, target, commit, checkout)
        changed = worktree.repository_git.paths("diff", "--name-only", "-z", "--no-renames", target, commit)
        return Landing(branch, commit, len(changed))


def remove_landed(worktree: Worktree, session_id: str, kept_files: Path) -> str | None:
    """Remove a worktree that has landed; return the ref that keeps its single commits, if nothing else does."""
    with _alone_in(worktree):
        return remove.remove(worktree, session_id, kept_files, force=True)


@contextlib.contextmanager
def _alone_in(worktree: Worktree) -> Iterator[None]:
    """Wait until no other landing changes the repository."""
    descriptor = file_lock.acquire(Path(worktree.repository, "hldctl.lock"), _LOCK_SECONDS)
    if descriptor is None:
        raise WrongState(f"Another landing in {worktree.repository} does not end; try again later.")
    try:
        yield
    finally:
        os.close(descriptor)


def _target(worktree: Worktree, into: str | None) -> str:
    """Return the branch to land in; raise BadUsage if it is not a local one."""
    branch = (into or worktree.base).removeprefix("refs/heads/")
    if worktree.repository_git.commit(f"refs/heads/{branch}") is None:
        origin = f"--into {into}: there" if into else f"It was started from {worktree.base}, and there"
        raise BadUsage(f"{origin} is not a branch of that name; choose one with --into BRANCH.")
    if branch == worktree.branch:
        raise BadUsage(f"{branch} is the session's own branch; choose another one with --into.")
    return branch


def _checkout_of(worktree: Worktree, branch: str) -> Git | None:
    """Return the checkout of a branch; None if no worktree has it."""
    for path, ref in remove.checkouts(worktree).items():
        if ref == f"refs/heads/{branch}":
            return Git(path)
    return None


def _require_clean(checkout: Git, branch: str) -> None:
    changed = checkout.paths("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no")
    if changed:
        root = checkout.read("rev-parse", "--show-toplevel")
        raise WrongState(
            f"{root} has {branch} checked out with uncommitted changes, such as in {changed[0][3:]}; commit or stash "
            "them, or use --into."
        )


def _source(worktree: Worktree, message: str, *, keep: bool) -> str:
    """Return a commit of all that is in the worktree: its HEAD, or one after it that has the uncommitted work, too."""
    git = worktree.git
    head = git.commit("HEAD")
    if head is None:
        raise WrongState(f"{worktree.path} has no commit checked out; there is nothing to land.")
    if unmerged := git.paths("ls-files", "--unmerged", "-z"):
        names = list(dict.fromkeys(entry.partition("\t")[2] for entry in unmerged))
        raise WrongState(f"{worktree.path} is in the middle of a merge; these files have conflicts: {_names(names)}.")
    status = session_status(worktree)
    nested = [path.rstrip("/") for path in status.untracked if path.endswith("/")]
    # One that git ignores is only in the way of the removal.
    if repositories := nested if keep else find_repositories(worktree, status):
        raise WrongState(
            f"{os.path.join(worktree.path, repositories[0])} is another repository, which cannot land; move it away."
        )
    if not status.changed and not status.untracked:
        return head
    # A copy of the index, so that git reads only the files that have changed.
    with copied_index(git) as variables:
        git.read("read-tree", "--reset", "HEAD", variables=variables)
        # As the user would do, with the filters that attributes ask for.
        git.read("add", "--all", "--sparse", "--", ".", variables=variables)
        tree = git.read("write-tree", variables=variables)
    if tree == git.read("rev-parse", f"{head}^{{tree}}"):
        return head
    return _new_commit(git, tree, [head], message)


def _combined(worktree: Worktree, method: Method, target: str, source: str, message: str, branch: str) -> str:
    git = worktree.repository_git
    if git.read("rev-list", "--count", source, "--not", target) == "0":
        raise WrongState(f"{branch} has everything that is in the worktree {worktree.path}; there is nothing to land.")
    if method is Method.REBASE:
        return _rebased(worktree, target, source, branch)
    tree = _merged_tree(git, target, source, branch)
    if tree == git.read("rev-parse", f"{target}^{{tree}}"):
        raise WrongState(f"{branch} has everything that is in the worktree {worktree.path}; there is nothing to land.")
    return _new_commit(git, tree, [target, *([source] if method is Method.MERGE else [])], message)


def _merged_tree(git: Git, target: str, source: str, branch: str) -> str:
    """Merge without a checkout; raise WrongState with the files that have conflicts."""
    done = git.run("merge-tree", "--write-tree", "--no-messages", "--name-only", "-z", target, source)
    tree, *conflicts = [part for part in text(done.stdout).split("\0") if part] or [""]
    if done.returncode == 1:
        raise _conflict(branch, conflicts)
    if done.returncode != 0:
        raise GitError(("merge-tree",), done.returncode, text(done.stderr))
    return tree


def _conflict(branch: str, paths: list[str]) -> WrongState:
    return WrongState(
        f"Conflicts with {branch} in {_names(paths)}; nothing was changed. Continue the session to merge {branch}, or "
        "merge by hand."
    )


def _names(paths: list[str]) -> str:
    more = f" and {len(paths) - _MAX_NAMED} more" if len(paths) > _MAX_NAMED else ""
    return ", ".join(paths[:_MAX_NAMED]) + more


def _rebased(worktree: Worktree, target: str, source: str, branch: str) -> str:
    """Rebase in a temporary worktree; the session's own and its branch stay as they are."""
    git = worktree.repository_git
    with tempfile.TemporaryDirectory(prefix="hldctl-rebase-") as directory:
        place = os.path.join(directory, "worktree")
        git.read("worktree", "add", "--quiet", "--detach", "--", place, source)
        try:
            done = Git(place).run(*_REBASE, "--onto", target, worktree.base_commit)
            if done.returncode != 0:
                if paths := Git(place).paths("diff", "--name-only", "--diff-filter=U", "-z"):
                    raise _conflict(branch, paths)
                raise GitError(("rebase",), done.returncode, text(done.stderr))
            return Git(place).read("rev-parse", "HEAD")
        finally:
            git.run("worktree", "remove", "--force", "--force", place)


def _new_commit(git: Git, tree: str, parents: list[str], message: str) -> str:
    """Make a commit as the user; git fails if the user has not configured a name."""
    options = [word for parent in parents for word in ("-p", parent)]
    return git.read("commit-tree", tree, *options, "-F", "-", input=message.encode("utf-8", "surrogateescape"))


def _advance(worktree: Worktree, branch: str, target: str, commit: str, checkout: Git | None) -> None:
    """Set the branch to the commit, in its checkout too, unless something has changed there since."""
    if checkout is None:
        reason = f"hldctl land: {worktree.branch}"
        worktree.repository_git.read("update-ref", "-m", reason, f"refs/heads/{branch}", commit, target)
        return
    try:
        checkout.read("merge", "--ff-only", "--quiet", "--no-autostash", commit)
    except GitError as error:
        raise WrongState(
            f"{branch} could not be changed in its checkout: {error.output}; nothing was changed."
        ) from None
