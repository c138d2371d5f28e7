"""The first process of a container, whose duties the kernel gives to no other: signals and orphans.

A signal without a handler does not reach it, and it is the parent of every process that has lost its own.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from hldctl.system.processes import shell_exit_code

_FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
# The kernel kills all processes of the container together with the first one. Supervisors have time to exit by
# themselves; a process that a session has left running delays the end by no more.
_EXIT_SECONDS = 2.0
_EXIT_POLL_SECONDS = 0.02


def fork_command() -> None:
    """Return in a child process, which runs the command; the first process serves it, and exits with its exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    pid = os.fork()
    if pid:
        _serve(pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)


def _serve(pid: int) -> None:
    def forward(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and os.isatty(0):
            # The terminal sends it to the command as well.
            return
        os.kill(pid, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            break
    _reap_others()
    os._exit(shell_exit_code(status))


def _reap_others() -> None:
    """Wait for the processes that are left, for a limited time."""
    deadline = time.monotonic() + _EXIT_SECONDS
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(_EXIT_POLL_SECONDS)
