"""A cgroup of a session's own (cgroup v2): a member stays one whatever it does to its environment, parent or process
session, and the kernel lists the members.

It is a child of the cgroup that the session was launched in, so all limits stay as they are. Where none can be made (no
Linux, no cgroup v2, one that belongs to another user) each function does nothing, and says nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from hldctl.paths import write_private

_PREFIX = "hldctl-"
_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
"""Where systemd and container engines mount it: alone, or beside version 1."""
_REMOVAL_TRIES = 20
_REMOVAL_PAUSE_SECONDS = 0.01


def enclose(pid: int, session_id: str, record: Path) -> None:
    """Move a process, and what it has started so far, into the session's cgroup; `record` keeps where that is.

    Linux waits for its readers within the move: 8 to 16 ms (6.18), which nobody who launches should wait for.
    """
    with contextlib.suppress(OSError, ValueError):
        current = _of(pid)
        if current is None or _recorded(session_id, record) is not None:
            return
        group = _outside(current) / (_PREFIX + session_id)
        group.mkdir(exist_ok=True)
        write_private(record, os.fsencode(group))
        _move(pid, group)
        _move_children(pid, group)


def leave_others() -> None:
    """Move this process out of the cgroup of the session that it was launched from: it is not that session's."""
    with contextlib.suppress(OSError, ValueError):
        current = _of(os.getpid())
        if current is not None and (outside := _outside(current)) != current:
            _move(os.getpid(), outside)


def members(session_id: str, record: Path) -> set[int]:
    """Return the pids in the session's cgroup, and in those that its processes have made below it."""
    group = _recorded(session_id, record)
    return set() if group is None else _members(group)


def is_in_anothers(pid: int, session_id: str) -> bool:
    """Whether a process is in the cgroup of another session."""
    with contextlib.suppress(OSError, ValueError):
        names = [name for name in _path(pid).split("/") if name.startswith(_PREFIX)]
        return bool(names) and _PREFIX + session_id not in names
    return False


def release(session_id: str, record: Path) -> None:
    """Remove the session's cgroup; what still runs in it goes on in the one above."""
    group = _recorded(session_id, record)
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
            # One that is about to die cannot be moved.
            time.sleep(_REMOVAL_PAUSE_SECONDS)
    with contextlib.suppress(OSError):
        record.unlink(missing_ok=True)


def _recorded(session_id: str, record: Path) -> Path | None:
    """Return the cgroup that the file names, unless it can be no session's: all of its members may be killed."""
    try:
        group = Path(os.fsdecode(record.read_bytes()))
    except (OSError, ValueError):
        return None
    is_ours = group.name == _PREFIX + session_id and str(group).startswith(_MOUNTS) and ".." not in group.parts
    return group if is_ours and group.is_dir() else None


def _members(group: Path) -> set[int]:
    found = set()
    for directory, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            found |= {int(line) for line in Path(directory, "cgroup.procs").read_text().split()}
    # Those of another PID namespace are listed as 0.
    return found - {0}


def _of(pid: int) -> Path | None:
    """Return the directory of a process's cgroup; None where there is none to be seen from here."""
    path = _path(pid)
    for mount in _MOUNTS:
        group = Path(mount + path)
        if (group / "cgroup.procs").exists() and ".." not in group.parts:
            return group
    return None


def _path(pid: int) -> str:
    """Return the process's path in the hierarchy of version 2."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return line[3:]
    raise ValueError("no cgroup v2")


def _outside(group: Path) -> Path:
    """Return the cgroup around that of a session, or the given one if it is no session's."""
    outermost = next((path for path in reversed([group, *group.parents]) if path.name.startswith(_PREFIX)), None)
    return group if outermost is None else outermost.parent


def _move(pid: int, group: Path) -> None:
    with open(group / "cgroup.procs", "w") as file:
        file.write(str(pid))


def _move_children(pid: int, group: Path) -> None:
    """Those that were started before their parent was moved; younger ones are members by birth."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                with contextlib.suppress(OSError, ValueError):
                    current = _of(int(child))
                    if current is not None and _outside(current) == current:
                        _move(int(child), group)
                    _move_children(int(child), group)
