"""Another program that takes over the whole terminal, until it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from hldctl.errors import BadUsage, UnfitEnvironment

_PR_SET_PDEATHSIG = 1
# Both are continued by one system call.
_MOMENT_SECONDS = 0.05
# Show the cursor; leave the modes for pasting, focus, mouse and keyboard that a killed program has left on.
_RESET = "\x1b[?25h\x1b[?2004l\x1b[?1004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[<u\x1b[>4;0m\x1b[0m\r\n"


class Ended(NamedTuple):
    """The end of the program."""

    code: int
    """Its exit code; negative for the signal that killed it."""
    signal: signal.Signals | None
    """The signal to this process that made it end, such as that of a closed terminal."""


def require_terminal(purpose: str) -> None:
    """Raise BadUsage unless this process has the terminal in the foreground."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        raise BadUsage(f"{purpose} needs a terminal; run it in one, without a pipe or redirection.")
    if os.tcgetpgrp(0) != os.getpgrp():
        raise BadUsage(f"{purpose} needs the terminal; run it in the foreground, without &.")


def run(command: Sequence[str], *, cwd: str, environment: Mapping[str, str], umask: int) -> Ended:
    """Run the program and return how it ended. If this process is killed, the program gets SIGTERM (on Linux).

    SIGTERM and SIGHUP to this process are passed on, so that it can do its work after the program.
    """
    modes = termios.tcgetattr(0)
    with _forwarded_signals() as forwarding:
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                umask=umask,
                # No thread runs here, and no lock is held.
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        except OSError as error:
            raise UnfitEnvironment(f"Cannot run {command[0]}: {error.strerror or error}.") from None
        forwarding.process = process
        code = _wait(process)
    _restore(modes, was_killed=code < 0)
    return Ended(code, forwarding.received)


def _end_with_parent() -> None:
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if parent == 1 or os.getppid() != parent:
        os._exit(128 + signal.SIGTERM)


class _Forwarding:
    process: subprocess.Popen[bytes] | None = None
    received: signal.Signals | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


@contextmanager
def _forwarded_signals() -> Iterator[_Forwarding]:
    """Pass SIGTERM and SIGHUP on in the block; leave Ctrl-C and Ctrl-\\ to the program."""
    forwarding = _Forwarding()
    handlers: dict[signal.Signals, Any] = {
        signal.SIGINT: _ignore,
        signal.SIGQUIT: _ignore,
        signal.SIGTERM: forwarding,
        signal.SIGHUP: forwarding,
    }
    former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield forwarding
    finally:
        for number, handler in former.items():
            # After a signal, no second one may end this process before its work is done.
            if forwarding.received is None:
                signal.signal(number, handler)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing; a handler, and not SIG_IGN, which the program would inherit."""


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end. When the program suspends itself, suspend this process, too: the shell gets the terminal."""
    while True:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode
        if not _stays_stopped(process.pid):
            continue
        os.kill(os.getpid(), signal.SIGTSTP)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)


def _stays_stopped(pid: int) -> bool:
    """Return whether the program is still stopped a moment later.

    If it suspends its whole process group, the shell stops and continues both. Continued first, this process sees the
    program stopped for a moment, and would suspend itself a second time.
    """
    # Imported here: few programs suspend themselves.
    import psutil

    time.sleep(_MOMENT_SECONDS)
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False


def _restore(modes: list[Any], *, was_killed: bool) -> None:
    """Restore the terminal's modes; a program that was killed could not do that."""
    # A process in the background would be stopped for it.
    former = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(termios.error, OSError):
        termios.tcsetattr(0, termios.TCSADRAIN, modes)
        if was_killed:
            os.write(1, _RESET.encode())
    signal.signal(signal.SIGTTOU, former)
