"""Robust standard streams: closed, non-blocking and unwritable standard input, output and error.

* A closed stream is replaced by /dev/null. Otherwise Python would send to standard output what was meant for standard
  error, and the next file that is opened, such as the database, would get the descriptor of the closed stream.
* Writes to a non-blocking stream, which a parent written for Node.js may pass on, wait until it is writable.
  O_NONBLOCK itself stays set: it belongs to the open file description, which the parent shares.
* Failed writes to standard error are ignored: there is nowhere to report them, and waiting for a session works without
  it.
* A failed write to standard output raises an OSError, which `failure` returns, to tell it apart from others. A command
  that has started a session or waits for one calls `keep_going`, so that the failure is reported instead of raised: see
  `app`.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO, TypeVar

_Stream = TypeVar("_Stream", bound="_BlockingStream")


class _BlockingStream(io.FileIO):
    """Output stream that waits while a non-blocking descriptor is not writable."""

    def write(self, data: object, /) -> int:
        while True:
            # FileIO returns None for EAGAIN.
            written: int | None = super().write(data)  # type: ignore[arg-type]  # a buffer, as in FileIO
            if written is not None:
                return written
            self._wait_until_writable()

    def _wait_until_writable(self) -> None:
        import select

        select.select([], [self.fileno()], [])


class _Output(_BlockingStream):
    # The first failure. After it, nothing is written.
    failure: OSError | None = None
    on_failure: Callable[[OSError], None] | None = None

    def write(self, data: object, /) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
                if self.on_failure is None:
                    raise
                self.on_failure(error)
        return memoryview(data).nbytes  # type: ignore[arg-type]


class _Errors(_BlockingStream):
    def write(self, data: object, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


# One stream, or none if standard output was closed.
_outputs: list[_Output] = []
# The replaced streams: they would close their descriptors if they were collected.
_replaced_streams: list[TextIO] = []


def replace_streams() -> None:
    """Replace the standard streams, before anything is opened, started or printed. A second call does nothing."""
    if _replaced_streams:
        return
    _replaced_streams.extend(stream for stream in (sys.stdout, sys.stderr) if stream is not None)
    _reopen_closed()
    # A new file replaces a closed stream: its number may belong to another file that was opened since.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  stays open while the process lives
    elif (stdout := _replace(sys.stdout, _Output)) is not None:
        sys.stdout, raw = stdout
        _outputs.append(raw)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  stays open while the process lives
    elif (stderr := _replace(sys.stderr, _Errors)) is not None:
        sys.stderr, _ = stderr


def write_error() -> OSError | None:
    """Return the error of the first failed write to standard output, or None."""
    return _outputs[0].failure if _outputs else None


def flush() -> OSError | None:
    """Flush standard output; return the error of its first failed write, or None."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if not _outputs or error is not _outputs[0].failure:
            raise
        # The failure is recorded by now, so this drops what is still in the buffer.
        sys.stdout.flush()
    return write_error()


def tolerate_write_errors(report: Callable[[OSError], None], *, reader_may_leave: bool = False) -> None:
    """Let the command continue after a failed write to standard output; `report` is then called once.

    With `reader_may_leave`, EPIPE is still raised.
    """

    def handle(error: OSError) -> None:
        if reader_may_leave and error.errno == errno.EPIPE:
            raise error
        report(error)

    if _outputs:
        _outputs[0].on_failure = handle


def are_write_errors_tolerated() -> bool:
    """Return whether `keep_going` was called."""
    return bool(_outputs) and _outputs[0].on_failure is not None


def _reopen_closed() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # `open` uses the lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)


def _replace(stream: TextIO, stream_class: type[_Stream]) -> tuple[TextIO, _Stream] | None:
    """Return a text stream on a new raw stream of this class, and that raw stream.

    Return None if the stream has no file descriptor, as in a test.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        raw = stream_class(stream.fileno(), "w", closefd=False)
    except OSError:
        return None
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        # Characters that the terminal or locale cannot encode are printed as escapes.
        errors="backslashreplace",
        newline="\n",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    ), raw


def is_interactive() -> bool:
    """Return whether standard input and output are a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


# Whether a person is there, if that was decided on the machine where the command was typed.
_declared: list[bool] = []


def is_attended() -> bool:
    """Return whether any standard stream is a terminal: the query may come from a pipe, the id go into a variable."""
    if _declared:
        return _declared[0]
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def declare_attended(attended: bool) -> None:
    """Let `is_attended` return this: the terminal is on another machine."""
    _declared[:] = [attended]
