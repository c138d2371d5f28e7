"""Changing a file of the user's: wholly or not at all, and by one process at a time.

Symbolic links are followed by hand: `realpath` would go past the kernel's protection of shared directories
(protected_symlinks). A link that another user may have put there is refused. Directories are held open on the way, so
that none can be exchanged after it was looked at.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hldctl.paths import PRIVATE_DIRECTORY, PRIVATE_FILE
from hldctl.system import file_lock

_PUBLIC_FILE = 0o666
_MOST_LINKS = 40
"""As the kernel."""
# One that may be searched, but not read, can be passed through.
_SEARCH = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY))


def rewrite(path: Path, change: Callable[[], bytes]) -> None:
    """Writes what `change` makes of the file as it is then; raises OSError.

    What is made is the owner's alone; a file that is there keeps its mode, and a link of the user's own stays one.
    """
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    with _found(path) as place, _alone_in(place):
        place.replace([change()], PRIVATE_FILE)


def write(path: Path, parts: Iterable[bytes], umask: int) -> None:
    """Writes a file piece by piece; nobody sees it before it is whole. Raises OSError, and whatever `parts` raises.

    A new one has the mode that `umask` leaves; one of the user's that is there keeps its mode, and a link of the user's
    own stays one. What is no regular file, such as a terminal or a pipe, is written to as it is.
    """
    with _found(path) as place:
        if place.is_special():
            with os.fdopen(place.open(os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as written:
                written.writelines(parts)
        else:
            place.replace(parts, _PUBLIC_FILE & ~umask)


@dataclass(frozen=True)
class _Place:
    """A name in a directory, which is open, and is no link of anybody's."""

    directory: int
    name: str
    follows: bool = False
    """For what the system itself has as links, such as /dev/stdout."""

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
        begun = _Place(self.directory, f".hldctl-{os.urandom(8).hex()}")
        descriptor = begun.open(os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(descriptor, "wb") as written:
                os.fchmod(descriptor, mode)
                written.writelines(parts)
                written.flush()
                os.fsync(descriptor)
            os.replace(begun.name, self.name, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        except BaseException:
            os.unlink(begun.name, dir_fd=self.directory)
            raise


@contextmanager
def _found(path: Path) -> Iterator[_Place]:
    """Where the path leads, by links that may be followed; raises OSError at one that may not."""
    directory = os.open("/" if path.is_absolute() else ".", _SEARCH)
    rest = [*reversed(path.parts[1:] if path.is_absolute() else path.parts)] or ["."]
    links = 0
    try:
        while True:
            place = _Place(directory, rest.pop())
            status = place.status()
            if status is None or not stat.S_ISLNK(status.st_mode):
                if not rest:
                    break
                following = os.open(place.name, _SEARCH, dir_fd=directory)
            elif _is_of_the_kernel(directory):
                if not rest:
                    place = _Place(directory, place.name, follows=True)
                    break
                following = os.open(place.name, _SEARCH & ~os.O_NOFOLLOW, dir_fd=directory)
            else:
                if (links := links + 1) > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                target = _target(place, status, is_last=not rest)
                rest += reversed([part for part in target.split("/") if part] or ["."])
                following = os.open("/" if target.startswith("/") else ".", _SEARCH, dir_fd=directory)
            os.close(directory)
            directory = following
        yield place
    finally:
        os.close(directory)


def _target(link: _Place, status: os.stat_result, *, is_last: bool) -> str:
    """Where a link leads; raises PermissionError if it may be a trap of another user's.

    The last one decides which file is replaced, so it must be the user's own or root's. For one on the way the kernel's
    rule holds: in a directory where everybody may make links, it must be the user's own or the directory owner's.
    """
    directory = os.stat(link.directory)
    is_shared = directory.st_mode & stat.S_ISVTX and directory.st_mode & stat.S_IWOTH
    trusted = {os.geteuid(), 0} if is_last else {os.geteuid(), directory.st_uid}
    if status.st_uid not in trusted and (is_last or is_shared):
        raise PermissionError(errno.EACCES, f"{link.name} is a symbolic link that another user made")
    target = os.readlink(link.name, dir_fd=link.directory)
    if (now := link.status()) is None or _identity(now) != _identity(status):
        raise PermissionError(errno.EACCES, f"{link.name} was exchanged while it was looked at")
    return target


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_uid, status.st_ctime_ns


def _is_of_the_kernel(directory: int) -> bool:
    """Whether its links are no paths, but the open files of a process: /dev/stdout leads there."""
    try:
        device = os.stat("/proc").st_dev
    except OSError:
        return False
    return os.fstat(directory).st_dev == device != os.stat("/").st_dev


@contextmanager
def _alone_in(place: _Place) -> Iterator[None]:
    # The directory itself, so that no lock file lies about among what the user has there.
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.directory)
    try:
        with file_lock.exclusive(descriptor):
            yield
    finally:
        os.close(descriptor)
