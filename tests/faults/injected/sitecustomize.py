"""Makes calls of a supervisor fail as the kernel would, while the file that `HLDCTL_TEST_FAULT_SWITCH` names exists.

`HLDCTL_TEST_FAULT` says which: `database-full:N` and `database-broken:N` let the N-th write to the database and all
behind it fail, `fork` each new process, `read-only` all that changes a file. Two reach commands instead:
`fork-of-commands`, and `touch-at:N`, by which whatever they touch gets that time, in nanoseconds since 1970.
Python imports a module of this name at its start, so that the program under test is the program that users run.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_KIND, _, _FROM = os.environ.get("HLDCTL_TEST_FAULT", "").partition(":")
_PROGRAM = "hldctl" if _KIND in ("fork-of-commands", "touch-at") else "hldctl.supervisor"
_SWITCH = Path(os.environ.get("HLDCTL_TEST_FAULT_SWITCH", ""))
_OPEN, _WRITE = os.open, os.write
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def _fails() -> bool:
    """Whether the fault goes on; notes beside the switch that it was met."""
    if goes_on := _SWITCH.exists():
        os.close(_OPEN(_SWITCH.with_name("fault-met"), os.O_WRONLY | os.O_CREAT))
    return goes_on


def _break_database(error: Callable[[str], Exception], first: int) -> None:
    import apsw

    writes = 0

    def write_counted() -> None:
        nonlocal writes
        writes += 1
        if writes >= first and _fails():
            raise error("a fault of the machine")

    class FaultyFile(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__("unix", name, flags)

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            write_counted()
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802
            write_counted()
            super().xSync(flags)

    class FaultyFiles(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("faulty", "unix", makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
            return FaultyFile(name, flags)

    # For as long as the process lives.
    sys.modules[__name__].__dict__["files"] = FaultyFiles()


def _break_fork() -> None:
    import _posixsubprocess

    def failing(start: Callable[..., int]) -> Callable[..., int]:
        def started(*arguments: Any, **options: Any) -> int:
            if _fails():
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            return start(*arguments, **options)

        return started

    _posixsubprocess.fork_exec = failing(_posixsubprocess.fork_exec)
    os.posix_spawn = failing(os.posix_spawn)


def _make_read_only() -> None:
    import apsw

    def refuse(*names: Any) -> None:
        if _fails():
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), *names)

    def opened(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & _WRITING and path != os.devnull:
            refuse(path)
        return _OPEN(path, flags, *arguments, **options)

    def written(descriptor: int, data: Any) -> int:
        if descriptor > 2:
            refuse()
        return _WRITE(descriptor, data)

    os.open, os.write = opened, written
    _break_database(apsw.ReadOnlyError, 1)


def _touch_at(moment: int) -> None:
    """As on a file system that keeps whole seconds, within one of them, or with a clock that was set."""
    touch = os.utime

    def touched(path: Any, *arguments: Any, **options: Any) -> None:
        if _fails():
            options["ns"] = (moment, moment)
        touch(path, *arguments, **options)

    os.utime = touched


def _break() -> None:
    import apsw

    if _KIND == "database-full":
        _break_database(apsw.FullError, int(_FROM))
    elif _KIND == "database-broken":
        _break_database(apsw.IOError, int(_FROM))
    elif _KIND in ("fork", "fork-of-commands"):
        _break_fork()
    elif _KIND == "read-only":
        _make_read_only()
    elif _KIND == "touch-at":
        _touch_at(int(_FROM))


if _KIND and "-m" in sys.orig_argv and _PROGRAM in sys.orig_argv:
    _break()
