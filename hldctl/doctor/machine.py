"""Checks of the machine: SQLite, configuration, state directory and file system."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import psutil

from hldctl.config import load, schema
from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings, ok_finding
from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory
from hldctl.store.recovery import integrity
from hldctl.system import file_lock
from hldctl.system.watcher import Wakeup
from hldctl.version import __version__

# Prefixes of the names of network file systems, whose locks and shared memory are not reliable.
_NETWORK_TYPES = (
    *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.", "gfs2", "glusterfs", "gpfs", "lustre", "nfs"),
    *("ocfs2", "prl_fs", "smb", "vboxsf", "virtiofs", "vmhgfs", "webdav"),
)
_MIN_FREE_BYTES = 100 << 20


def examine(state: StateDirectory) -> Findings:
    yield ok_finding("hldctl", f"{__version__} on Python {platform.python_version()}, {platform.system()}")
    yield _check_sqlite()
    yield _check_configuration()
    yield _check_state_directory(state)
    if is_usable(state):
        yield _check_file_system(state.root)
        yield _check_locks(state.root)
        yield _check_space(state.root)
        yield _check_notifications(state.root)


def _check_sqlite() -> Finding:
    version = ".".join(map(str, integrity.sqlite_version()))
    if integrity.sqlite_version() >= integrity.FIRST_FIXED_SQLITE:
        return ok_finding("SQLite", version)
    return Finding(
        "SQLite",
        Level.ERROR,
        f"{version} can corrupt a database that several processes write to",
        "Upgrade it: `pip install --upgrade apsw`.",
    )


def _check_configuration() -> Finding:
    try:
        load.load()
    except HldctlError as error:
        return Finding("configuration", Level.ERROR, str(error), "Fix it with `hldctl config edit`.")
    file = schema.path()
    return ok_finding("configuration", str(file) if file.exists() else f"none; {file} does not exist")


def _check_state_directory(state: StateDirectory) -> Finding:
    try:
        state.prepare()
        descriptor = os.open(state.root, os.O_RDONLY)
        os.close(descriptor)
    except HldctlError as error:
        return Finding("state directory", Level.ERROR, str(error))
    except OSError as error:
        return Finding("state directory", Level.ERROR, str(error), "Fix this, or set HLDCTL_HOME to another directory.")
    return ok_finding("state directory", str(state.root))


def is_usable(state: StateDirectory) -> bool:
    """Return whether the state directory exists, belongs to this user and is readable; do not create it."""
    try:
        state.as_existing().prepare()
    except HldctlError:
        return False
    return os.access(state.root, os.R_OK | os.X_OK)


def _check_file_system(root: Path) -> Finding:
    kind = file_system_type(root)
    if is_network_file_system(root):
        return Finding(
            "file system",
            Level.WARNING,
            f"{root} is on {kind}, where file locks and SQLite's shared memory may not work",
            "Set HLDCTL_HOME to a local directory.",
        )
    return ok_finding("file system", kind or "unknown")


def file_system_type(path: Path) -> str:
    """Return the system's name for the type of the file system that holds the path; empty if unknown."""
    try:
        partitions = psutil.disk_partitions(all=True)
    except (OSError, psutil.Error):
        # /proc/self/mounts does not exist.
        return ""
    resolved = path.resolve()
    mounts = [
        (len(Path(mount.mountpoint).parts), mount.fstype)
        for mount in partitions
        if resolved.is_relative_to(mount.mountpoint)
    ]
    # If several file systems are mounted at one path, the last is visible.
    return max(reversed(mounts), key=lambda mount: mount[0], default=(0, ""))[1]


def is_network_file_system(path: Path) -> bool:
    return file_system_type(path).lower().startswith(_NETWORK_TYPES)


def _check_locks(root: Path) -> Finding:
    trial_path = root / f"lock-trial-{os.getpid()}"
    advice = "Set HLDCTL_HOME to a directory on another file system."
    try:
        lock_fd = file_lock.acquire(trial_path, timeout=0)
        works = lock_fd is not None and not file_lock.is_free(trial_path)
        if lock_fd is not None:
            os.close(lock_fd)
        trial_path.unlink()
    except (OSError, HldctlError) as error:
        return Finding("locks", Level.ERROR, f"cannot write and lock files in {root}: {error}", advice)
    if works:
        return ok_finding("locks", "file locking works")
    return Finding("locks", Level.ERROR, f"file locking does not work in {root}", advice)


def _check_space(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    message = f"{free / (1 << 30):.1f} GB free"
    if free >= _MIN_FREE_BYTES:
        return ok_finding("disk", message)
    return Finding("disk", Level.WARNING, f"only {free >> 20} MB free in {root}", "Free some disk space.")


def _check_notifications(root: Path) -> Finding:
    wakeup = Wakeup([root])
    try:
        is_blind = wakeup.is_polling
    finally:
        wakeup.close()
    if not is_blind:
        return ok_finding("notification of changes", "works")
    return Finding(
        "notification of changes",
        Level.WARNING,
        "not available; supervisors and tail -f poll ten times a second instead",
        "Raise fs.inotify.max_user_instances and fs.inotify.max_user_watches.",
    )
