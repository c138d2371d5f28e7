"""Changing a file of the user's: wholly or not at all, and by one process at a time."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hldctl.host.paths import PRIVATE_DIRECTORY, PRIVATE_FILE

_PUBLIC_FILE = 0o666


def rewrite(path: Path, change: Callable[[], bytes]) -> None:
    """Writes what `change` makes of the file as it is then; raises OSError.

    What is made is the owner's alone; a file that is there keeps its mode, and a link stays one.
    """
    file = Path(os.path.realpath(path))
    file.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    with _alone_in(file.parent):
        _replace(file, [change()], _mode(file, PRIVATE_FILE))


def write(path: Path, parts: Iterable[bytes], umask: int) -> None:
    """Writes a file piece by piece; nobody sees it before it is whole. Raises OSError, and whatever `parts` raises.

    A new one has the mode that `umask` leaves; one that is there keeps its mode, and a link stays one. What is no
    regular file, such as a terminal or a pipe, is written to as it is.
    """
    file = Path(os.path.realpath(path))
    if file.exists() and not file.is_file():
        with open(file, "wb") as written:
            written.writelines(parts)
    else:
        _replace(file, parts, _mode(file, _PUBLIC_FILE & ~umask))


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    # The directory itself, so that no lock file lies about among what the user has there.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(file: Path, parts: Iterable[bytes], mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    begun = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as written:
            os.fchmod(descriptor, mode)
            written.writelines(parts)
            written.flush()
            os.fsync(descriptor)
        begun.replace(file)
    except BaseException:
        begun.unlink()
        raise


def _mode(file: Path, otherwise: int) -> int:
    try:
        return stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        return otherwise
