"""Check that only the owner can access the state directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings, ok_finding
from hldctl.paths import StateDirectory
from hldctl.private_files import MODE_BITS_OF_OTHERS
from hldctl.sessions import supervisors


def examine(state: StateDirectory) -> Findings:
    statuses = {path: status for path in _own_paths(state) if (status := _status(path)) is not None}
    foreign = [path for path, status in statuses.items() if status.st_uid != os.geteuid()]
    if foreign:
        yield Finding(
            "owner",
            Level.ERROR,
            f"{_summary(foreign)}: owned by another user, so hldctl does not use these sessions",
            "Move them away; or, if you trust their contents, take them over with `chown -R`.",
        )
    accessible = [
        path
        for path, status in statuses.items()
        if status.st_mode & MODE_BITS_OF_OTHERS and status.st_uid == os.geteuid()
    ]
    if not accessible:
        yield ok_finding("modes", "only the owner has access")
        return
    yield Finding(
        "modes",
        Level.ERROR,
        f"other users have access to {_summary(accessible)}",
        f"Run `chmod -R go= {state.root}`.",
        lambda: _restrict(accessible),
    )


def _own_paths(state: StateDirectory) -> Iterator[Path]:
    """Yield the paths that hldctl created: users may keep other files in the directory."""
    yield state.root
    yield from state.root.glob("hldctl.db*")
    yield from state.root.glob("search.*")
    yield from (path for path in (state.sessions, state.migration_lock, state.claude_version) if path.exists())
    for session_id in supervisors.ids_with_files(state):
        directory = state.session(session_id).directory
        yield directory
        yield from directory.rglob("*")


def _status(path: Path) -> os.stat_result | None:
    """Return the path's status; None if it is gone by now, and for a link, whose mode means nothing."""
    try:
        status = path.lstat()
    except OSError:
        # It is gone, or in a directory that cannot be searched, which has a finding of its own.
        return None
    return None if stat.S_ISLNK(status.st_mode) else status


def _restrict(paths: list[Path]) -> None:
    for path in paths:
        if (status := _status(path)) is not None:
            path.chmod(stat.S_IMODE(status.st_mode) & ~MODE_BITS_OF_OTHERS)


def _summary(paths: list[Path]) -> str:
    return str(paths[0]) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
