"""Whether the state directory is its owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hldctl.doctor.check import Finding, Findings, Level, fine
from hldctl.paths import OF_OTHERS, StateDirectory
from hldctl.sessions import supervisors


def examine(state: StateDirectory) -> Findings:
    found = {path: status for path in _ours(state) if (status := _status(path)) is not None}
    theirs = [path for path, status in found.items() if status.st_uid != os.geteuid()]
    if theirs:
        yield Finding(
            "owner",
            Level.ERROR,
            f"{_named(theirs)} belong to another user, so hldctl uses nothing of those sessions",
            "Move them away, or, if you trust what is in them, `chown -R` them to yourself.",
        )
    open_ones = [path for path, status in found.items() if status.st_mode & OF_OTHERS and status.st_uid == os.geteuid()]
    if not open_ones:
        yield fine("modes", "for the owner alone")
        return
    yield Finding(
        "modes",
        Level.ERROR,
        f"others may use {_named(open_ones)}",
        f"Run `chmod -R go= {state.root}`.",
        lambda: _close(open_ones),
    )


def _ours(state: StateDirectory) -> Iterator[Path]:
    """What hldctl has made: somebody may keep other things beside it."""
    yield state.root
    yield from state.root.glob("hldctl.db*")
    yield from (path for path in (state.sessions, state.migration_lock, state.claude_version) if path.exists())
    for session_id in supervisors.ids_with_files(state):
        directory = state.session(session_id).directory
        yield directory
        yield from directory.rglob("*")


def _status(path: Path) -> os.stat_result | None:
    """None for what has gone meanwhile, and for a link, whose mode means nothing."""
    try:
        status = path.lstat()
    except OSError:
        # It is gone, or in a directory that cannot be searched, which is told of the session.
        return None
    return None if stat.S_ISLNK(status.st_mode) else status


def _close(paths: list[Path]) -> None:
    for path in paths:
        if (status := _status(path)) is not None:
            path.chmod(stat.S_IMODE(status.st_mode) & ~OF_OTHERS)


def _named(paths: list[Path]) -> str:
    return str(paths[0]) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
