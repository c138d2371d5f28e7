"""Temporary indexes, so that looking at a worktree changes neither its own index nor its files."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hldctl.errors import UnfitEnvironment
from hldctl.worktrees.git import Git

# Tags of `ls-files -v`: an entry as it is staged, and one with conflicts.
_VISIBLE = ("H ", "M ")

Variables = dict[str, str]
"""The variables that make git use an index."""


@contextlib.contextmanager
def empty_index() -> Iterator[Variables]:
    """Yield the variables for an empty index, which is deleted after the block."""
    # Not in the repository, whose disk may be full.
    with tempfile.TemporaryDirectory(prefix="hldctl-") as directory:
        yield {"GIT_INDEX_FILE": os.path.join(directory, "index")}


@contextlib.contextmanager
def index_with_untracked(git: Git) -> Iterator[Variables]:
    """Yield the variables for a copy of the index in which untracked files count as new, without their content."""
    with copied_index(git) as variables:
        git.read("add", "--intent-to-add", "--sparse", "--", ".", variables=variables)
        yield variables


@contextlib.contextmanager
def copied_index(git: Git, hidden: Sequence[str] | None = None) -> Iterator[Variables]:
    """Yield the variables for a copy of the index that hides no file; `hidden` is what `find_hidden` returns.

    Git looks only at files that have changed since they were staged, as in the index itself.
    """
    with empty_index() as variables:
        own = Path(git.read("rev-parse", "--absolute-git-dir"), "index")
        if own.exists():
            try:
                # With its time, by which git knows which entries it must compare.
                shutil.copy2(own, variables["GIT_INDEX_FILE"])
            except OSError as error:
                raise UnfitEnvironment(f"Cannot copy {own}: {error.strerror or error}.") from None
        if paths := find_hidden(git) if hidden is None else hidden:
            lines = b"".join(os.fsencode(path) + b"\0" for path in paths)
            for option in ("--no-assume-unchanged", "--no-skip-worktree"):
                git.read("update-index", option, "-z", "--stdin", input=lines, variables=variables)
        yield variables


def find_hidden(git: Git) -> list[str]:
    """Return the files that git does not look at, because the index says so, except those of a sparse checkout."""
    entries = git.paths("ls-files", "-v", "--full-name", "-z", ":/")
    hidden = [entry for entry in entries if not entry.startswith(_VISIBLE)]
    if not hidden:
        return []
    root = git.read("rev-parse", "--show-toplevel")
    # A sparse checkout leaves files out by skipping them.
    return [entry[2:] for entry in hidden if entry[0] == "h" or os.path.lexists(os.path.join(root, entry[2:]))]
