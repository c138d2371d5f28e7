"""One run of ssh: the request goes in, the output comes out, and signals of the user are passed on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hldctl.cli.remote import ssh
from hldctl.cli.remote.output_splitter import OutputSplitter

_READ_SIZE = 1 << 16
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Ctrl-C and SIGTERM, as bytes in a pipe: they are for the command there."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self.last: signal.Signals | None = None
        self._is_unread = False

    @contextmanager
    def caught(self) -> Iterator[Signals]:
        former = {number: signal.getsignal(number) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(self._writer)
        for number in _SIGNALS:
            if former[number] != signal.SIG_IGN:
                signal.signal(number, self._arrive)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        # The reader of the output may be stuck, and with it this process.
        if self._is_unread:
            raise KeyboardInterrupt
        self._is_unread = True

    def read(self) -> bytes:
        """Return the numbers that have arrived, and remember the last."""
        self._is_unread = False
        numbers = bytes(number for number in os.read(self.reader, 64) if number in _SIGNALS)
        if numbers:
            self.last = signal.Signals(numbers[-1])
        return numbers

    def collect(self) -> None:
        """Remember a number that has arrived, if any."""
        if select.select([self.reader], [], [], 0)[0]:
            self.read()

    def sleep(self, seconds: float) -> bool:
        """Sleep; return False at once if a signal arrives."""
        deadline = time.monotonic() + seconds
        while (remaining := deadline - time.monotonic()) > 0:
            if select.select([self.reader], [], [], remaining)[0] and self.read():
                return False
        return True


def run(
    command: list[str],
    data: bytes | None,
    output: OutputSplitter,
    signals: Signals,
    *,
    passes_signals: bool,
    closes_input: bool = False,
) -> int:
    """Run ssh to its end, and return its exit code; one that was killed has failed like any other.

    `data` is for the command there; None gives it the terminal. With `passes_signals` the first signal is for the
    command there, the second ends ssh; otherwise each one does. The input stays open while the user is there: its end
    is how the other side notices that this process is gone; with `closes_input`, it ends after the data.
    """
    with _without_interrupts():
        try:
            process = subprocess.Popen(
                command, stdin=None if data is None else subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise ssh.program_error(command[0], error) from None
    try:
        with _terminal_restored() if data is None else contextlib.nullcontext():
            _relay(
                process,
                memoryview(data or b""),
                output,
                signals,
                passes_signals=passes_signals,
                closes_input=closes_input,
            )
            code = process.wait()
            # Ctrl-C ends ssh while it asks a question, maybe before this process sees the signal.
            signals.collect()
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    return code if code >= 0 else ssh.FAILURE


def _relay(
    process: subprocess.Popen[bytes],
    pending: memoryview,
    output: OutputSplitter,
    signals: Signals,
    *,
    passes_signals: bool,
    closes_input: bool,
) -> None:
    assert process.stdout is not None
    reader = process.stdout.fileno()
    writer = -1 if process.stdin is None else process.stdin.fileno()
    if writer >= 0:
        os.set_blocking(writer, False)
    while True:
        ready, writable, _ = select.select([reader, signals.reader], [writer] if pending else [], [])
        if signals.reader in ready:
            for number in signals.read():
                if passes_signals and output.is_started and writer >= 0:
                    passes_signals = False
                    with contextlib.suppress(OSError):
                        os.write(writer, bytes([number]))
                else:
                    process.terminate()
        if writable:
            try:
                pending = pending[os.write(writer, pending[:_READ_SIZE]) :]
            except OSError:
                # ssh has ended; its exit code says why.
                pending = memoryview(b"")
            if not pending and closes_input and process.stdin is not None:
                process.stdin.close()
        if reader in ready:
            if not (data := os.read(reader, _READ_SIZE)):
                return
            output.feed(data)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let a program that is started ignore Ctrl-C: it is for the command, and ssh would cut the connection."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


@contextmanager
def _terminal_restored() -> Iterator[None]:
    """Restore the terminal's mode at the end: a killed ssh does not."""
    mode: list[Any] | None = None
    with contextlib.suppress(termios.error, OSError, ValueError, AttributeError):
        mode = termios.tcgetattr(sys.stdin.fileno()) if sys.stdin.isatty() else None
    try:
        yield
    finally:
        if mode is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, mode)
