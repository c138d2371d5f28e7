"""Standard input that was redirected for this command, as in `git diff | hldctl launch "Review this diff"`.

Most commands inherit a standard input that is not meant for them, and reading it would do harm:

* A loop, `while read -r line; do hldctl launch "Fix $line"; done < list`, would lose the rest of its list. There the
  calling process has the same pipe, or has read the beginning of the file; such input is left alone. A caller that
  merely has the same file may not use it: dash has while it runs `hldctl launch Review < file`.
* Over ssh, and below a program for Node.js, it is a socket that may stay open without data: sockets are left alone.
* A pipe may stay open as well. As in `claude -p` (2.1.332), its first byte has to arrive within three seconds.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
from typing import NamedTuple

PATIENCE_SECONDS = 3.0

_READ_SIZE = 1 << 20
_WRAPPERS = frozenset({"chrt", "flock", "ionice", "nice", "setsid", "stdbuf", "sudo", "time", "timeout"})
"""Programs that run one other program with their own standard input."""


class PipedInput(NamedTuple):
    """What was read from standard input."""

    data: bytes = b""
    is_missing: bool = False
    """True if a pipe is still open, but nothing has arrived in time."""
    is_certain: bool = True
    """False if the calling process may have the same standard input."""


def read_piped_input(patience_seconds: float = PATIENCE_SECONDS) -> PipedInput:
    """Return all of standard input if it is a pipe or a file that was redirected for this process alone."""
    try:
        status = os.fstat(0)
    except OSError:
        return PipedInput()
    is_pipe = stat.S_ISFIFO(status.st_mode)
    if not is_pipe and not stat.S_ISREG(status.st_mode):
        return PipedInput()
    callers = _standard_input_of(_caller())
    is_shared = callers == (status.st_dev, status.st_ino)
    if is_shared if is_pipe else os.lseek(0, 0, os.SEEK_CUR) != 0:
        return PipedInput()
    if is_pipe and not select.select([0], [], [], patience_seconds)[0]:
        return PipedInput(is_missing=True)
    return PipedInput(_read_all(), is_certain=callers is not None and not is_shared)


def _caller() -> int:
    """Return the pid of the process that redirected the input: wrappers such as timeout(1) only pass it on."""
    pid = os.getppid()
    with contextlib.suppress(OSError, ValueError, IndexError):
        while True:
            with open(f"/proc/{pid}/stat") as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
            if name not in _WRAPPERS:
                break
            pid = int(rest.split()[1])
    return pid


def _standard_input_of(pid: int) -> tuple[int, int] | None:
    """Return the device and inode of a process's standard input; None if unknown."""
    with contextlib.suppress(OSError):
        status = os.stat(f"/proc/{pid}/fd/0")
        return status.st_dev, status.st_ino
    return None


def _read_all() -> bytes:
    chunks: list[bytes] = []
    while True:
        # The pipe may be non-blocking, as the caller has made it.
        select.select([0], [], [])
        with contextlib.suppress(BlockingIOError):
            if not (chunk := os.read(0, _READ_SIZE)):
                return b"".join(chunks)
            chunks.append(chunk)
