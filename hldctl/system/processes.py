"""Processes, told apart from later ones that got the same pid."""

from __future__ import annotations

import errno
import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

UNKNOWN_START = 0
"""The start of a process that runs and cannot be looked at, as without /proc; it is proof of nothing."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A pid alone proves nothing after a crash or a reboot; with boot, PID namespace and start time it does.

    `boot_id` is what `scope` returns. `started` is in clock ticks since boot on Linux, which no change of the clock
    moves; elsewhere milliseconds.
    """

    pid: int
    boot_id: str
    started: int


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a process that exists now, zombies included; None if there is none."""
    if pid <= 0:
        return None
    if sys.platform == "linux":
        fields = _stat_fields(pid)
        return None if fields is None else ProcessIdentity(pid, scope(), int(fields[19]))
    import psutil

    try:
        return ProcessIdentity(pid, scope(), int(psutil.Process(pid).create_time() * 1000))
    except psutil.NoSuchProcess:
        return None


def is_running(process: ProcessIdentity) -> bool:
    """Whether that very process still runs; a zombie does not."""
    if identify(process.pid) != process:
        return False
    if sys.platform == "linux":
        fields = _stat_fields(process.pid)
        return fields is not None and fields[0] not in ("Z", "X")
    import psutil

    try:
        return bool(psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def command_line(pid: int) -> str:
    """What the process was started with; empty where that is not to be seen."""
    import psutil

    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def exit_code_of_zombie(process: ProcessIdentity) -> int | None:
    """How a process ended that nobody has reaped yet, as subprocess gives it; None if that cannot be seen."""
    if sys.platform != "linux" or identify(process.pid) != process:
        return None
    fields = _stat_fields(process.pid)
    if fields is None or fields[0] != "Z" or len(fields) < 50:
        return None
    return os.waitstatus_to_exitcode(int(fields[49]))


def ancestors() -> list[int]:
    """Return the pids of this process's parent, of the parent's parent and so on; the first process is left out."""
    found: list[int] = []
    pid: int | None = os.getppid()
    while pid is not None and pid > 1 and pid not in found:
        found.append(pid)
        pid = _parent(pid)
    return found


def _parent(pid: int) -> int | None:
    if sys.platform == "linux":
        fields = _stat_fields(pid)
        return None if fields is None else int(fields[1])
    import psutil

    try:
        return int(psutil.Process(pid).ppid())
    except psutil.Error:
        return None


@functools.cache
def scope() -> str:
    """Return what a pid is unique in: the boot's id, and the PID namespace where the system has such a thing.

    Empty where the system has neither. Each row that names a pid holds it in its column `boot_id`.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError as error:
        _raise_if_exhausted(error)
        return ""


def recorded(pid: int, boot_id: str | None, started: int) -> ProcessIdentity:
    """Return the identity that a row holds; a row of a version that knew no namespaces means this one."""
    own = scope()
    return ProcessIdentity(pid, own if boot_id and boot_id == _boot(own) else boot_id or "", started)


def is_this_machine(host: str, boot_id: str | None) -> bool:
    """Whether what ran there ran here: by the boot and the namespace, since machines are renamed, or by the name.

    What runs on this machine in another PID namespace, such as a container's, is as far away as another machine.
    """
    if boot_id and boot_id in (scope(), _boot(scope())):
        return True
    return host == os.uname().nodename and not is_of_another_namespace(boot_id)


def is_of_another_namespace(boot_id: str | None) -> bool:
    """Whether that is a PID namespace of this boot other than this process's."""
    own = scope()
    return bool(boot_id) and boot_id not in (own, _boot(own)) and _boot(boot_id or "") == _boot(own)


def _boot(scope: str) -> str:
    return scope.partition(":")[0]


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the system has none."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third, the state, on: proc(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        _raise_if_exhausted(error)
        return None
    # The second field, the name in parentheses, may itself hold spaces and parentheses.
    return stat.rpartition(")")[2].split()


def _raise_if_exhausted(error: OSError) -> None:
    """To find no descriptor for a look at a process is not to find the process gone."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise error
