"""Claude Code's standard input: a named pipe, to which only the session's supervisor writes.

Claude Code reads the end of its input when no process can write to the pipe any more: neither the supervisor nor its
guard, which holds it open for the next supervisor. Then Claude Code finishes its turn and exits, so that no session
waits for a supervisor that will never come.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import sys
import termios

from hldctl.paths import SessionFiles
from hldctl.private_files import PRIVATE_FILE

# The most that an unprivileged process may request on Linux.
_PIPE_BYTES = 1 << 20
# Also for reading: without a reader, opening it for writing fails.
_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC


class InputPipe:
    """The supervisor's end of the pipe."""

    def __init__(self, files: SessionFiles, reader_pid: int | None = None) -> None:
        """Open the pipe, and create it if needed; `reader_pid` is a Claude Code that reads from it already."""
        descriptor = _open_of_reader(files, reader_pid)
        self._descriptor: int = _open_file(files) if descriptor is None else descriptor
        self._rest = b""

    def close(self) -> None:
        os.close(self._descriptor)

    def discard(self) -> None:
        """Remove what a Claude Code that is dead has not read: the guard keeps it in the pipe."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, _PIPE_BYTES):
                pass

    @property
    def is_writing(self) -> bool:
        """True if a line is longer than the pipe and not completely written yet; call `write_rest` again soon."""
        return bool(self._rest)

    @property
    def is_empty(self) -> bool:
        """True if Claude Code has read everything."""
        size = fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0" * 4)
        return not self._rest and struct.unpack("i", size)[0] == 0

    def write(self, line: bytes) -> None:
        """Write a line into an empty pipe.

        A line that fits is in the pipe as a whole even if this process is killed now: the kernel checks for signals
        only when it has to wait for room.
        """
        self._make_room(len(line))
        self._rest = line
        self.write_rest()

    def write_rest(self) -> None:
        """Write as much of the rest of a long line as the pipe has room for."""
        while self._rest:
            try:
                written = os.write(self._descriptor, self._rest)
            except BlockingIOError:
                return
            self._rest = self._rest[written:]

    def _make_room(self, size: int) -> None:
        if sys.platform == "linux" and size > fcntl.fcntl(self._descriptor, fcntl.F_GETPIPE_SZ):
            # Only for those that need it: the kernel limits the sum of a user's pipes.
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, min(size, _PIPE_BYTES))


def create(files: SessionFiles) -> None:
    """Create the pipe if it does not exist."""
    with contextlib.suppress(FileExistsError):
        os.mkfifo(files.input, PRIVATE_FILE)


def _open_file(files: SessionFiles) -> int:
    create(files)
    return os.open(files.input, _FLAGS)


def _open_of_reader(files: SessionFiles, reader_pid: int | None) -> int | None:
    """Open the pipe as the standard input of its reader, if its file was deleted; return None if that fails."""
    if not reader_pid or files.input.exists():
        return None
    path = f"/proc/{reader_pid}/fd/0"
    try:
        return os.open(path, _FLAGS) if stat.S_ISFIFO(os.stat(path).st_mode) else None
    except OSError:
        return None


def open_for_claude(files: SessionFiles) -> int:
    """Return a new descriptor of the pipe, to be Claude Code's standard input."""
    return os.open(files.input, os.O_RDONLY | os.O_CLOEXEC)
