"""Make calls of a supervisor fail with kernel errors while the file named by `HLDCTL_TEST_FAULT_SWITCH` exists.

`HLDCTL_TEST_FAULT` selects the calls: with `database-full:N` and `database-broken:N` the N-th write to the database and
all later ones fail, with `fork` each new process, with `read-only` each change of a file. Two values affect commands
instead: `fork-of-commands`, and `touch-at:N`, which sets the time of each touched file to N nanoseconds since 1970.
Python imports a module of this name at its start, so the program under test is the one that users run.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_KIND, _, _PARAMETER = os.environ.get("HLDCTL_TEST_FAULT", "").partition(":")
_PROGRAM = "hldctl" if _KIND in ("fork-of-commands", "touch-at") else "hldctl.supervisor"
_SWITCH = Path(os.environ.get("HLDCTL_TEST_FAULT_SWITCH", ""))
_OPEN, _WRITE = os.open, os.write
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def _fails() -> bool:
    """Return whether calls have to fail now; if so, record in the file `fault-met` that one did."""
    if is_on := _SWITCH.exists():
        os.close(_OPEN(_SWITCH.with_name("fault-met"), os.O_WRONLY | os.O_CREAT))
    return is_on


def _break_database(error: Callable[[str], Exception], first: int) -> None:
    import apsw

    writes = 0

    def count_write() -> None:
        nonlocal writes
        writes += 1
        if writes >= first and _fails():
            raise error("a fault of the machine")

    class FaultyFile(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__("unix", name, flags)

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            count_write()
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802
            count_write()
            super().xSync(flags)

    class FaultyFiles(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("faulty", "unix", makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
            return FaultyFile(name, flags)

    # Keep a reference as long as the process lives.
    sys.modules[__name__].__dict__["files"] = FaultyFiles()


def _break_fork() -> None:
    import _posixsubprocess

    def make_failing(start: Callable[..., int]) -> Callable[..., int]:
        def start_or_fail(*arguments: Any, **options: Any) -> int:
            if _fails():
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            return start(*arguments, **options)

        return start_or_fail

    _posixsubprocess.fork_exec = make_failing(_posixsubprocess.fork_exec)
    os.posix_spawn = make_failing(os.posix_spawn)


def _make_read_only() -> None:
    import apsw

    def refuse(*names: Any) -> None:
        if _fails():
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), *names)

    def open_or_fail(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & _WRITING and path != os.devnull:
            refuse(path)
        return _OPEN(path, flags, *arguments, **options)

    def write_or_fail(descriptor: int, data: Any) -> int:
        if descriptor > 2:
            refuse()
        return _WRITE(descriptor, data)

    os.open, os.write = open_or_fail, write_or_fail
    _break_database(apsw.ReadOnlyError, 1)


def _touch_at(time_ns: int) -> None:
    """Fix the time of touched files, as on a file system with whole seconds or after the clock was set."""
    touch = os.utime

    def touch_at_time(path: Any, *arguments: Any, **options: Any) -> None:
        if _fails():
            options["ns"] = (time_ns, time_ns)
        touch(path, *arguments, **options)

    os.utime = touch_at_time


def _break() -> None:
    import apsw

    if _KIND == "database-full":
        _break_database(apsw.FullError, int(_PARAMETER))
    elif _KIND == "database-broken":
        _break_database(apsw.IOError, int(_PARAMETER))
    elif _KIND in ("fork", "fork-of-commands"):
        _break_fork()
    elif _KIND == "read-only":
        _make_read_only()
    elif _KIND == "touch-at":
        _touch_at(int(_PARAMETER))


if _KIND and "-m" in sys.orig_argv and _PROGRAM in sys.orig_argv:
    _break()
