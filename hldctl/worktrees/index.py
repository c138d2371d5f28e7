"""Temporary indexes, so that looking at a worktree changes neither its own index nor its files."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hldctl.worktrees.git import Git

Variables = dict[str, str]
"""The variables that make git use an index."""


@contextlib.contextmanager
def empty_index(git: Git) -> Iterator[Variables]:
    """Yield the variables for an empty index, which is deleted after the block."""
    with tempfile.TemporaryDirectory(prefix="hldctl-", dir=_git_dir(git)) as directory:
        yield {"GIT_INDEX_FILE": os.path.join(directory, "index")}


@contextlib.contextmanager
def index_with_untracked(git: Git) -> Iterator[Variables]:
    """Yield the variables for a copy of the index in which untracked files count as new, without their content."""
    with empty_index(git) as variables:
        own = Path(_git_dir(git), "index")
        if own.exists():
            shutil.copy2(own, variables["GIT_INDEX_FILE"])
        git.read("add", "--intent-to-add", "--", ".", variables=variables)
        yield variables


def _git_dir(git: Git) -> str:
    return git.read("rev-parse", "--absolute-git-dir")
