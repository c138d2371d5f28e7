"""Whether the state directory is its owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hldctl.host.paths import PRIVATE_DIRECTORY, PRIVATE_FILE, StateDirectory
from hldctl.sessions.doctor.finding import Finding, Findings, Level, fine


def examine(state: StateDirectory) -> Findings:
    theirs = [path for path in _all(state.root) if path.lstat().st_uid != os.getuid()]
    if theirs:
        yield Finding(
            "owner", Level.ERROR, f"{theirs[0]} and {len(theirs) - 1} more belong to another user", "Give them back."
        )
    open_ones = [path for path in _all(state.root) if _is_open(path)]
    if not open_ones:
        yield fine("modes", "for the owner alone")
        return
    yield Finding(
        "modes",
        Level.ERROR,
        f"others may use {open_ones[0]}" + (f" and {len(open_ones) - 1} more" if len(open_ones) > 1 else ""),
        f"Run `chmod -R go= {state.root}`.",
        lambda: _close(open_ones),
    )


def _all(root: Path) -> Iterator[Path]:
    yield root
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            yield Path(directory, name)


def _is_open(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & 0o077)


def _close(paths: list[Path]) -> None:
    for path in paths:
        path.chmod(PRIVATE_DIRECTORY if path.is_dir() else PRIVATE_FILE)
