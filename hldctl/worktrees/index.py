"""Temporary indexes, so that looking at a worktree changes neither its own index nor its files."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hldctl.errors import UnfitEnvironment
from hldctl.worktrees.git import Git

Variables = dict[str, str]
"""The variables that make git use an index."""


@contextlib.contextmanager
def empty_index() -> Iterator[Variables]:
    """Yield the variables for an empty index, which is deleted after the block."""
    # Not in the repository, whose disk may be full.
    with tempfile.TemporaryDirectory(prefix="hldctl-") as directory:
        yield {"GIT_INDEX_FILE": os.path.join(directory, "index")}


@contextlib.contextmanager
def copied_index(git: Git) -> Iterator[Variables]:
    """Yield the variables for a copy of the index, which is deleted after the block."""
    with empty_index() as variables:
        own = Path(git.read("rev-parse", "--absolute-git-dir"), "index")
        if own.exists():
            try:
                # With its time, by which git knows which entries it must compare.
                shutil.copy2(own, variables["GIT_INDEX_FILE"])
            except OSError as error:
                raise UnfitEnvironment(f"Cannot copy {own}: {error.strerror or error}.") from None
        yield variables


@contextlib.contextmanager
def index_with_untracked(git: Git) -> Iterator[Variables]:
    """Yield the variables for a copy of the index in which untracked files count as new, without their content."""
    with copied_index(git) as variables:
        git.read("add", "--intent-to-add", "--", ".", variables=variables)
        yield variables
