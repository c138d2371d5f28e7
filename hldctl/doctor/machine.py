"""What hldctl needs of the machine."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import psutil

from hldctl import __version__
from hldctl.config import load, schema
from hldctl.doctor.check import Finding, Findings, Level, fine
from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory
from hldctl.store.recovery import integrity
from hldctl.system import file_lock
from hldctl.system.watcher import Wakeup

_OF_NETWORKS = (
    *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.", "gfs2", "glusterfs", "gpfs", "lustre", "nfs"),
    *("ocfs2", "prl_fs", "smb", "vboxsf", "virtiofs", "vmhgfs", "webdav"),
)
"""How the names of file systems begin whose locks, and whose shared memory, are not to be trusted."""
_LITTLE_SPACE = 100 << 20


def examine(state: StateDirectory) -> Findings:
    yield fine("hldctl", f"{__version__} on Python {platform.python_version()}, {platform.system()}")
    yield _sqlite()
    yield _configuration()
    yield _state_directory(state)
    if is_usable(state):
        yield _file_system(state.root)
        yield _locks(state.root)
        yield _space(state.root)
        yield _wakeups(state.root)


def _sqlite() -> Finding:
    version = ".".join(map(str, integrity.sqlite_version()))
    if integrity.sqlite_version() >= integrity.WITHOUT_BUG:
        return fine("SQLite", version)
    return Finding(
        "SQLite",
        Level.ERROR,
        f"{version} can corrupt a database that several processes write to",
        "Upgrade it: pip install --upgrade apsw.",
    )


def _configuration() -> Finding:
    try:
        load.load()
    except HldctlError as error:
        return Finding("configuration", Level.ERROR, str(error), "Mend it: `hldctl config edit`.")
    file = schema.path()
    return fine("configuration", str(file) if file.exists() else f"none, {file} would be it")


def _state_directory(state: StateDirectory) -> Finding:
    try:
        state.prepare()
        descriptor = os.open(state.root, os.O_RDONLY)
        os.close(descriptor)
    except HldctlError as error:
        return Finding("state directory", Level.ERROR, str(error))
    except OSError as error:
        return Finding("state directory", Level.ERROR, str(error), "Mend that, or name another one in HLDCTL_HOME.")
    return fine("state directory", str(state.root))


def is_usable(state: StateDirectory) -> bool:
    """Return whether the state directory is there, is this user's, and can be looked into; nothing is made."""
    try:
        state.settled().prepare()
    except HldctlError:
        return False
    return os.access(state.root, os.R_OK | os.X_OK)


def _file_system(root: Path) -> Finding:
    kind = file_system(root)
    if is_of_network(root):
        return Finding(
            "file system",
            Level.WARNING,
            f"{root} is on {kind}, where locks and SQLite's shared memory may not work",
            "Name a local directory in HLDCTL_HOME.",
        )
    return fine("file system", kind or "unknown")


def file_system(path: Path) -> str:
    """The type of the file system that holds the path, as the system names it; empty where that is not told."""
    try:
        known = psutil.disk_partitions(all=True)
    except (OSError, psutil.Error):
        # There is no /proc/self/mounts.
        return ""
    place = path.resolve()
    mounts = [
        (len(Path(mount.mountpoint).parts), mount.fstype) for mount in known if place.is_relative_to(mount.mountpoint)
    ]
    # Of several mounted in one place the last is the one that is seen.
    return max(reversed(mounts), key=lambda mount: mount[0], default=(0, ""))[1]


def is_of_network(path: Path) -> bool:
    return file_system(path).lower().startswith(_OF_NETWORKS)


def _locks(root: Path) -> Finding:
    trial = root / f"lock-trial-{os.getpid()}"
    advice = "Name a directory on another file system in HLDCTL_HOME."
    try:
        held = file_lock.acquire(trial, timeout=0)
        works = held is not None and not file_lock.is_free(trial)
        if held is not None:
            os.close(held)
        trial.unlink()
    except (OSError, HldctlError) as error:
        return Finding("locks", Level.ERROR, f"{root} cannot be written to or locked: {error}", advice)
    if works:
        return fine("locks", "exclude others")
    return Finding("locks", Level.ERROR, f"a lock in {root} excludes nobody", advice)


def _space(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    message = f"{free / (1 << 30):.1f} GB free"
    if free >= _LITTLE_SPACE:
        return fine("disk", message)
    return Finding("disk", Level.WARNING, f"only {free >> 20} MB free in {root}", "Make room there.")


def _wakeups(root: Path) -> Finding:
    wakeup = Wakeup([root])
    try:
        is_blind = wakeup.is_blind
    finally:
        wakeup.close()
    if not is_blind:
        return fine("notification of changes", "works")
    return Finding(
        "notification of changes",
        Level.WARNING,
        "the system gives none; supervisors and followers look ten times a second instead",
        "Raise fs.inotify.max_user_instances and fs.inotify.max_user_watches.",
    )
