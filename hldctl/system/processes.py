"""Process identities, which distinguish a process from a later one with the same pid."""

from __future__ import annotations

import errno
import functools
import os
import sys
from pathlib import Path
from typing import NamedTuple

UNKNOWN_START = 0
"""Start time of a running process that cannot be inspected, such as without /proc; it identifies no process."""


class ProcessIdentity(NamedTuple):
    """A pid with its boot, PID namespace and start time, since a pid alone is not unique after a crash or a reboot.

    `boot_id` is the result of `scope`. `started` is in clock ticks since boot on Linux, so that changes of the clock do
    not affect it, and in milliseconds elsewhere.
    """

    pid: int
    boot_id: str
    started: int


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of an existing process, which may be a zombie; None for a pid without a process."""
    if pid <= 0:
        return None
    if sys.platform == "linux":
        fields = _stat_fields(pid)
        return None if fields is None else ProcessIdentity(pid, pid_scope(), int(fields[19]))
    import psutil

    try:
        return ProcessIdentity(pid, pid_scope(), int(psutil.Process(pid).create_time() * 1000))
    except psutil.NoSuchProcess:
        return None


def is_running(process: ProcessIdentity) -> bool:
    """Return whether exactly this process still runs; a zombie does not."""
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
    """Return the process's arguments; an empty string if they cannot be read."""
    import psutil

    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def shell_exit_code(wait_status: int) -> int:
    """Return the exit code that a shell would report for a child: 128 and the signal's number for a death by signal."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def exit_code_of_zombie(process: ProcessIdentity) -> int | None:
    """Return the exit code of a process that has not been reaped yet, in subprocess's form; None if it is unknown."""
    if sys.platform != "linux" or identify(process.pid) != process:
        return None
    fields = _stat_fields(process.pid)
    if fields is None or fields[0] != "Z" or len(fields) < 50:
        return None
    return os.waitstatus_to_exitcode(int(fields[49]))


def ancestor_pids() -> list[int]:
    """Return the pids of this process's parent, its parent and so on, without process 1."""
    pids: list[int] = []
    pid: int | None = os.getppid()
    while pid is not None and pid > 1 and pid not in pids:
        pids.append(pid)
        pid = _parent(pid)
    return pids


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
def pid_scope() -> str:
    """Return the scope in which a pid is unique: the boot's id and the PID namespace.

    It is empty if the system has neither. Each database row that holds a pid has it in its column `boot_id`.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError as error:
        _raise_if_exhausted(error)
        return ""


def recorded_identity(pid: int, boot_id: str | None, started: int) -> ProcessIdentity:
    """Return the identity in a database row. A row from a version without namespaces refers to the current one."""
    own_scope = pid_scope()
    return ProcessIdentity(pid, own_scope if boot_id and boot_id == _boot(own_scope) else boot_id or "", started)


def is_this_machine(host: str, boot_id: str | None) -> bool:
    """Return whether a recorded host is this machine, by boot and namespace, since machines are renamed, or by name.

    Another PID namespace on this machine, such as a container's, counts as another machine.
    """
    if boot_id and boot_id in (pid_scope(), _boot(pid_scope())):
        return True
    return host == os.uname().nodename and not is_in_another_namespace(boot_id)


def is_in_another_namespace(boot_id: str | None) -> bool:
    """Return whether the scope is another PID namespace of this boot."""
    own_scope = pid_scope()
    return bool(boot_id) and boot_id not in (own_scope, _boot(own_scope)) and _boot(boot_id or "") == _boot(own_scope)


def _boot(scope: str) -> str:
    return scope.partition(":")[0]


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None if the system has none."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _stat_fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat starting with the third, the state: proc(5). None if it cannot be read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        _raise_if_exhausted(error)
        return None
    # The second field, the name in parentheses, may itself hold spaces and parentheses.
    return stat.rpartition(")")[2].split()


def _raise_if_exhausted(error: OSError) -> None:
    """Raise the error again if it means a lack of resources: that does not show that the process is gone."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise error
