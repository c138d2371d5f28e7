"""Standard input, output and error, whatever the program that started hldctl made of them.

* A closed one is /dev/null: otherwise Python sends to standard output what was for standard error, and the next file
  that is opened, such as the database, takes the place of the closed one.
* A non-blocking one, as a parent written for Node.js may hand down, is waited for. O_NONBLOCK itself stays: it belongs
  to the open file description, which the parent has as well.
* What cannot be written to standard error is dropped: there is nobody to say so to, and a session is waited for with
  or without it.
* What cannot be written to standard output is an OSError, and `failure` tells it from any other. Where a command has
  started a session or waits for one, `keep_going` has it noted rather than raised: see `app`.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO, TypeVar

_Kind = TypeVar("_Kind", bound="_Patient")


class _Patient(io.FileIO):
    """Waits while a non-blocking descriptor takes nothing."""

    def write(self, data: object, /) -> int:
        while True:
            # None is what FileIO makes of EAGAIN.
            written: int | None = super().write(data)  # type: ignore[arg-type]  # a buffer, as FileIO has it
            if written is not None:
                return written
            self._wait()

    def _wait(self) -> None:
        import select

        select.select([], [self.fileno()], [])


class _Output(_Patient):
    failure: OSError | None = None
    """The first; from then on nothing is written any more."""
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


class _Errors(_Patient):
    def write(self, data: object, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


_outputs: list[_Output] = []
"""One, unless standard output was closed."""
_former: list[TextIO] = []
"""What was replaced: it would close its descriptor if it was collected."""


def prepare() -> None:
    """To be called before anything is opened, started or printed; a second call does nothing."""
    if _former:
        return
    _former.extend(stream for stream in (sys.stdout, sys.stderr) if stream is not None)
    _open_closed_ones()
    # In place of a closed one a file of its own: what has the number may be another that was opened since.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  for as long as the process lives
    elif (stdout := _replaced(sys.stdout, _Output)) is not None:
        sys.stdout, raw = stdout
        _outputs.append(raw)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  for as long as the process lives
    elif (stderr := _replaced(sys.stderr, _Errors)) is not None:
        sys.stderr, _ = stderr


def failure() -> OSError | None:
    """Why standard output could not be written to, if so."""
    return _outputs[0].failure if _outputs else None


def flush() -> OSError | None:
    """Writes what is in the buffer; returns why standard output could not be written to, if so."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if not _outputs or error is not _outputs[0].failure:
            raise
        # The failure is noted: what is still in the buffer is dropped.
        sys.stdout.flush()
    return failure()


def keep_going(say: Callable[[OSError], None], *, reader_may_leave: bool = False) -> None:
    """From here on the command goes on when standard output cannot be written to, and `say` is called once.

    With `reader_may_leave` a pipe that nobody reads is an error as before.
    """

    def note(error: OSError) -> None:
        if reader_may_leave and error.errno == errno.EPIPE:
            raise error
        say(error)

    if _outputs:
        _outputs[0].on_failure = note


def keeps_going() -> bool:
    return bool(_outputs) and _outputs[0].on_failure is not None


def _open_closed_ones() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)


def _replaced(stream: TextIO, kind: type[_Kind]) -> tuple[TextIO, _Kind] | None:
    """The stream again, over a file of that kind; None for one that is no file of the system's, as in a test."""
    if not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        raw = kind(stream.fileno(), "w", closefd=False)
    except OSError:
        return None
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        # A terminal or locale without UTF-8 is shown what it cannot show as escapes.
        errors="backslashreplace",
        newline="\n",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    ), raw


def is_interactive() -> bool:
    """Return whether a person sees what is printed and can type."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
