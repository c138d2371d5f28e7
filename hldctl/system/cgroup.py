"""A session's own cgroup (version 2), by which all of its processes can be found.

A process remains a member whatever it does to its environment, parent or process session, and the kernel lists the
members. The cgroup is a child of the one that the session was launched in, so all limits remain in force. If it cannot
be created (no Linux, no cgroup v2, a parent that belongs to another user) each function silently does nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from hldctl.private_files import write_private

_PREFIX = "hldctl-"
# Where systemd and container engines mount version 2: alone, or next to version 1.
_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_REMOVAL_TRIES = 20
_REMOVAL_PAUSE_SECONDS = 0.01


def enclose(pid: int, session_id: str, record: Path) -> None:
    """Move a process and its descendants so far into the session's cgroup, and write its path to the file `record`.

    Linux waits for its readers during the move, 8 to 16 ms (6.18), so a launch should not wait for this function.
    """
    with contextlib.suppress(OSError, ValueError):
        current = _cgroup_directory(pid)
        if current is None or _read_record(session_id, record) is not None:
            return
        group = _enclosing_cgroup(current) / (_PREFIX + session_id)
        group.mkdir(exist_ok=True)
        write_private(record, os.fsencode(group))
        _move(pid, group)
        _move_children(pid, group)


def leave_foreign_cgroup() -> None:
    """Move this process out of the cgroup of the session that it was launched from: it is not part of that session."""
    with contextlib.suppress(OSError, ValueError):
        current = _cgroup_directory(os.getpid())
        if current is not None and (outside := _enclosing_cgroup(current)) != current:
            _move(os.getpid(), outside)


def members(session_id: str, record: Path) -> set[int]:
    """Return the pids in the session's cgroup and in the cgroups that its processes have created below it."""
    group = _read_record(session_id, record)
    return set() if group is None else _members(group)


def is_in_another_session(pid: int, session_id: str) -> bool:
    """Return whether a process is in the cgroup of another session."""
    with contextlib.suppress(OSError, ValueError):
        names = [name for name in _path(pid).split("/") if name.startswith(_PREFIX)]
        return bool(names) and _PREFIX + session_id not in names
    return False


def release(session_id: str, record: Path) -> None:
    """Remove the session's cgroup; processes that still run in it are moved to its parent."""
    group = _read_record(session_id, record)
    if group is not None:
        for _ in range(_REMOVAL_TRIES):
            for pid in _members(group):
                with contextlib.suppress(OSError):
                    _move(pid, group.parent)
            with contextlib.suppress(OSError):
                for directory, _, _ in os.walk(group, topdown=False):
                    Path(directory).rmdir()
            if not group.exists():
                break
            # A process that is about to exit cannot be moved.
            time.sleep(_REMOVAL_PAUSE_SECONDS)
    with contextlib.suppress(OSError):
        record.unlink(missing_ok=True)


def _read_record(session_id: str, record: Path) -> Path | None:
    """Return the cgroup that the file names; None if it cannot be this session's, since its members may be killed."""
    try:
        group = Path(os.fsdecode(record.read_bytes()))
    except (OSError, ValueError):
        return None
    is_ours = group.name == _PREFIX + session_id and str(group).startswith(_MOUNTS) and ".." not in group.parts
    return group if is_ours and group.is_dir() else None


def _members(group: Path) -> set[int]:
    pids = set()
    for directory, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            pids |= {int(line) for line in Path(directory, "cgroup.procs").read_text().split()}
    # Processes of another PID namespace are listed as 0.
    return pids - {0}


def _cgroup_directory(pid: int) -> Path | None:
    """Return the directory of a process's cgroup, or None if it is not visible. Raise ValueError without version 2."""
    path = _path(pid)
    for mount in _MOUNTS:
        group = Path(mount + path)
        if (group / "cgroup.procs").exists() and ".." not in group.parts:
            return group
    return None


def _path(pid: int) -> str:
    """Return the path of the process's cgroup in the hierarchy of version 2. Raise ValueError if it has none."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return line[3:]
    raise ValueError("no cgroup v2")


def _enclosing_cgroup(group: Path) -> Path:
    """Return the cgroup that contains a session's, or the given one if it does not belong to a session."""
    outermost = next((path for path in reversed([group, *group.parents]) if path.name.startswith(_PREFIX)), None)
    return group if outermost is None else outermost.parent


def _move(pid: int, group: Path) -> None:
    with open(group / "cgroup.procs", "w") as file:
        file.write(str(pid))


def _move_children(pid: int, group: Path) -> None:
    """Move the children that were started before their parent was moved; younger ones are born as members."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                with contextlib.suppress(OSError, ValueError):
                    current = _cgroup_directory(int(child))
                    if current is not None and _enclosing_cgroup(current) == current:
                        _move(int(child), group)
                    _move_children(int(child), group)
