"""The repository of a directory, and what is checked out there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from hldctl.errors import BadUsage, WrongState
from hldctl.worktrees.git import Git, text

# Characters of the hash in the name of a repository's directory.
_HASH_LENGTH = 8


class Checkout(NamedTuple):
    """A directory in a repository, from which a worktree is made."""

    directory: str
    repository: str
    """The git directory that all worktrees of the repository share."""
    root: str | None
    """The root of the checkout; None in a bare repository."""
    prefix: str
    """The directory's path below the root, with a slash at the end, or empty."""

    @property
    def git(self) -> Git:
        return Git(self.root or self.directory)

    @property
    def label(self) -> str:
        """A name for the directory of the repository's worktrees, which is the same from all its worktrees."""
        place = Path(self.repository)
        name = place.parent.name if place.name == ".git" else place.name.removesuffix(".git")
        digest = hashlib.sha256(os.fsencode(self.repository)).hexdigest()[:_HASH_LENGTH]
        return f"{name or 'repository'}-{digest}"


class Base(NamedTuple):
    """What a worktree starts from."""

    name: str
    """The branch or ref; a commit's hash if none is checked out."""
    commit: str


def find_checkout(directory: str) -> Checkout:
    """Return the repository of a directory; raise BadUsage if it is not in one."""
    if not os.path.isdir(directory):
        raise BadUsage(f"The working directory {directory} does not exist.")
    if "\n" in directory:
        raise BadUsage(f"--worktree works in no directory with a line break in its name, such as {directory!r}.")
    git = Git(directory)
    options = ("--path-format=absolute", "--git-common-dir", "--is-bare-repository", "--is-inside-work-tree")
    done = git.run("rev-parse", *options)
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ").split("\n")[0]
        raise BadUsage(f"--worktree needs a git repository; {directory}: {reason}.")
    repository, is_bare, is_inside = text(done.stdout).removesuffix("\n").split("\n")
    if not os.path.isdir(repository):
        raise BadUsage(f"--worktree needs a git repository; {directory}: {repository} does not exist.")
    if is_inside == "true":
        root, _, prefix = git.read("rev-parse", "--show-toplevel", "--show-prefix").partition("\n")
        return Checkout(directory, repository, root, prefix)
    if is_bare == "true":
        return Checkout(directory, repository, None, "")
    raise BadUsage(f"{directory} is inside the git directory {repository}; use -C with a directory of the checkout.")


def find_base(checkout: Checkout, ref: str | None) -> Base:
    """Return the commit that a ref, or else HEAD, means there; raise BadUsage or WrongState if there is none."""
    git = checkout.git
    commit = git.commit("HEAD" if ref is None else ref)
    if commit is None and git.find("for-each-ref", "--count=1") is None:
        raise WrongState(f"The repository of {checkout.directory} has no commit yet; make one to use a worktree.")
    if commit is None:
        missing = "HEAD" if ref is None else f"--base {ref}"
        raise BadUsage(f"{missing}: there is no such commit in the repository of {checkout.directory}.")
    return Base(_base_name(git, ref) or commit, commit)


def _base_name(git: Git, ref: str | None) -> str | None:
    if ref is None or ref in ("HEAD", "@"):
        return git.find("symbolic-ref", "--quiet", "--short", "HEAD")
    return ref


def has_submodules(git: Git, commit: str) -> bool:
    """Return whether a commit declares submodules."""
    return git.find("rev-parse", "--verify", "--quiet", f"{commit}:.gitmodules") is not None


def can_be_branch(git: Git, name: str) -> bool:
    """Return whether git accepts the name for a branch."""
    return git.run("check-ref-format", "--branch", name).returncode == 0
