"""Atomic writes to the user's files, by one process at a time.

Symbolic links are followed by hand: `realpath` would bypass the kernel's protection of shared directories
(protected_symlinks). A link that another user may have created is refused. Each directory on the path is held open, so
that it cannot be replaced after it was checked.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hldctl.private_files import PRIVATE_DIRECTORY, PRIVATE_FILE
from hldctl.system import file_lock

_PUBLIC_FILE = 0o666
# The kernel's limit.
_MAX_LINKS = 40
# O_PATH and O_SEARCH also open directories that may be searched but not read.
_SEARCH = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY))


def rewrite(path: Path, change: Callable[[], bytes]) -> None:
    """Replace a file with what `change` returns; `change` is called under the lock. Raise OSError on failure.

    New files and directories are private to their owner. An existing file keeps its mode, and the user's own symbolic
    link is kept.
    """
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    with _resolve(path) as entry, _lock_directory(entry):
        entry.replace([change()], PRIVATE_FILE)


def write(path: Path, parts: Iterable[bytes], umask: int) -> None:
    """Write a file in parts and put it in place when it is complete. Raise OSError, or any exception from `parts`.

    A new file gets the mode that `umask` leaves. The user's existing file keeps its mode, and the user's own symbolic
    link is kept. A file that is not regular, such as a terminal or a pipe, is written to directly.
    """
    with _resolve(path) as entry:
        if entry.is_special():
            with os.fdopen(entry.open(os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.writelines(parts)
        else:
            entry.replace(parts, _PUBLIC_FILE & ~umask)


@dataclass(frozen=True)
class _DirectoryEntry:
    """A name in an open directory; it is not a symbolic link that a user created."""

    directory: int
    name: str
    follows: bool = False
    """True for a link of the system itself, such as /dev/stdout."""

    def status(self) -> os.stat_result | None:
        try:
            return os.stat(self.name, dir_fd=self.directory, follow_symlinks=self.follows)
        except FileNotFoundError:
            return None

    def is_special(self) -> bool:
        status = self.status()
        return self.follows or (status is not None and not stat.S_ISREG(status.st_mode))

    def open(self, flags: int, mode: int = PRIVATE_FILE) -> int:
        flags |= os.O_CLOEXEC | (0 if self.follows else os.O_NOFOLLOW)
        return os.open(self.name, flags, mode, dir_fd=self.directory)

    def replace(self, parts: Iterable[bytes], mode: int) -> None:
        before = self.status()
        if before is not None and before.st_uid == os.geteuid():
            mode = before.st_mode & 0o777
        temporary = _DirectoryEntry(self.directory, f".hldctl-{os.urandom(8).hex()}")
        descriptor = temporary.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.writelines(parts)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary.name, self.name, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        except BaseException:
            os.unlink(temporary.name, dir_fd=self.directory)
            raise


@contextmanager
def _resolve(path: Path) -> Iterator[_DirectoryEntry]:
    """Yield the entry that the path leads to. Raise OSError at a symbolic link that must not be followed."""
    directory = os.open("/" if path.is_absolute() else ".", _SEARCH)
    rest = [*reversed(path.parts[1:] if path.is_absolute() else path.parts)] or ["."]
    links = 0
    try:
        while True:
            entry = _DirectoryEntry(directory, rest.pop())
            status = entry.status()
            if status is None or not stat.S_ISLNK(status.st_mode):
                if not rest:
                    break
                next_directory = os.open(entry.name, _SEARCH, dir_fd=directory)
            elif _is_in_procfs(directory):
                if not rest:
                    entry = _DirectoryEntry(directory, entry.name, follows=True)
                    break
                next_directory = os.open(entry.name, _SEARCH & ~os.O_NOFOLLOW, dir_fd=directory)
            else:
                if (links := links + 1) > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                target = _target(entry, status, is_last=not rest)
                rest += reversed([part for part in target.split("/") if part] or ["."])
                next_directory = os.open("/" if target.startswith("/") else ".", _SEARCH, dir_fd=directory)
            os.close(directory)
            directory = next_directory
        yield entry
    finally:
        os.close(directory)


def _target(link: _DirectoryEntry, status: os.stat_result, *, is_last: bool) -> str:
    """Return the target of a symbolic link. Raise PermissionError if another user may have created it as a trap.

    A link that is the last part of the path decides which file is replaced, so it must belong to the user or root. For
    the other links the kernel's rule applies: in a directory where everybody may create links, a link must belong to
    the user or to the directory's owner.
    """
    directory = os.stat(link.directory)
    is_shared = directory.st_mode & stat.S_ISVTX and directory.st_mode & stat.S_IWOTH
    trusted = {os.geteuid(), 0} if is_last else {os.geteuid(), directory.st_uid}
    if status.st_uid not in trusted and (is_last or is_shared):
        raise PermissionError(errno.EACCES, f"{link.name} is a symbolic link that another user made")
    target = os.readlink(link.name, dir_fd=link.directory)
    if (current := link.status()) is None or _identity(current) != _identity(status):
        raise PermissionError(errno.EACCES, f"{link.name} was replaced while it was being checked")
    return target


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_uid, status.st_ctime_ns


def _is_in_procfs(directory: int) -> bool:
    """Return whether the directory is in /proc, whose links, such as that of /dev/stdout, are open files."""
    try:
        device = os.stat("/proc").st_dev
    except OSError:
        return False
    return os.fstat(directory).st_dev == device != os.stat("/").st_dev


@contextmanager
def _lock_directory(entry: _DirectoryEntry) -> Iterator[None]:
    # The directory itself is locked, so that no lock file is left among the user's files.
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=entry.directory)
    try:
        with file_lock.exclusive(descriptor):
            yield
    finally:
        os.close(descriptor)
