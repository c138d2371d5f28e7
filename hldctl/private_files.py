"""Files and directories that belong to one user alone."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from hldctl.errors import UnfitEnvironment

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
MODE_BITS_OF_OTHERS = 0o077
"""The mode bits that give access to other users."""


def directory_status(directory: Path) -> os.stat_result | None:
    """Return a directory's status, or None if it is missing. Raise UnfitEnvironment if access is denied."""
    try:
        return os.stat(directory)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise unusable_path_error(directory, error) from None


def require_own_path(path: Path | str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        owner, user = user_label(status.st_uid), user_label(os.geteuid())
        raise UnfitEnvironment(
            f"{path} belongs to {owner}, but hldctl runs as {user} and does not use another user's state. "
            f"Move it away, or, if you trust its contents, run `chown -R {user} {path}`."
        )


def user_name(number: int) -> str | None:
    """Return the name of the user with this id; None if the password file does not list it, as in a container."""
    # Imported late: only error messages and answers need it.
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return None


def user_label(number: int) -> str:
    return user_name(number) or f"user {number}"


def unusable_path_error(path: Path, error: OSError) -> UnfitEnvironment:
    """Return the error for a path that the operating system refused."""
    reason = error.strerror or str(error)
    return UnfitEnvironment(f"Cannot use {path}: {reason}. Fix this, or set HLDCTL_HOME to another directory.")


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, whatever the umask."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def replace_private(path: Path, data: bytes) -> None:
    """Write a private file atomically: a process that has the previous one open continues to read that."""
    temp_path = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    write_private(temp_path, data)
    temp_path.replace(path)


def ensure_exists(path: Path) -> None:
    """Create an empty file that only its owner can read, unless it exists."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))


def modification_time_ns(path: Path) -> int | None:
    """Return the modification time in nanoseconds since 1970; None if the file is missing."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def touch(path: Path | str, moment: int | None = None) -> None:
    """Set the modification time, in nanoseconds since 1970, to wake the processes that watch the file.

    Errors are ignored: without a signal these processes check a few seconds later.
    """
    # The kernel's clock for files may not advance for some milliseconds; with an explicit time two touches differ.
    moment = time.time_ns() if moment is None else moment
    with contextlib.suppress(OSError):
        os.utime(path, ns=(moment, moment))
