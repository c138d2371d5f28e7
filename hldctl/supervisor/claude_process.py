"""The Claude Code process: spawned by this supervisor, or adopted from one that died."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from hldctl.paths import PRIVATE_FILE, SessionFiles
from hldctl.system import file_lock
from hldctl.system.processes import UNKNOWN_START, ProcessIdentity, exit_code_of_zombie, identify, is_running

_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""What a program that is run by another expects to die of."""


@dataclass(frozen=True)
class Exit:
    """How the process ended; a negative `code` is the signal, None that nobody could see it."""

    code: int | None

    @property
    def signal(self) -> int | None:
        """The signal that ended it, also by way of a handler or shell that exits with 128 and its number."""
        if self.code is None:
            return None
        number = -self.code if self.code < 0 else self.code - 128
        return number if number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL) else None


class ClaudeProcess(Protocol):
    identity: ProcessIdentity

    def poll(self) -> Exit | None:
        """How it ended, or None while it runs."""


class SpawnedProcess:
    """A child of this process: until its exit is known no other process can have its pid."""

    def __init__(self, identity: ProcessIdentity) -> None:
        self.identity = identity
        self._exit: Exit | None = None

    def look_again(self) -> bool:
        """Try to identify a process that could not be looked at when it started; return whether that has succeeded."""
        if self._exit is not None or self.identity.started != UNKNOWN_START:
            return False
        self.identity = _identity(self.identity.pid)
        return self.identity.started != UNKNOWN_START

    def poll(self) -> Exit | None:
        if self._exit is None:
            try:
                ended, status = os.waitpid(self.identity.pid, os.WNOHANG)
            except ChildProcessError:
                self._exit = Exit(None)
            else:
                self._exit = Exit(os.waitstatus_to_exitcode(status)) if ended else None
        return self._exit


class AdoptedProcess:
    """Another's child: that it has ended can be seen, how only if it is left as a zombie."""

    def __init__(self, identity: ProcessIdentity) -> None:
        self.identity = identity

    def poll(self) -> Exit | None:
        return None if is_running(self.identity) else Exit(exit_code_of_zombie(self.identity))


def spawn(
    command: list[str], files: SessionFiles, *, prompt: Path, working_dir: str, environment: dict[str, str], umask: int
) -> SpawnedProcess:
    """Starts Claude Code with files for its three streams; raises OSError if it cannot be run.

    It gets a process session of its own, so that neither a terminal nor its supervisor's end reaches it, and a signal
    can be sent to all that it did not put into another one.
    """
    with (
        open(prompt, "rb") as words,
        _create(files.journal) as journal,
        _create(files.errors) as errors,
        _standing_in(working_dir, umask),
    ):
        # Claude Code has it from here: seen from another PID namespace, the journal's lock says whether it lives.
        file_lock.hold(journal.fileno())
        # Not by subprocess, which alone takes 0.65 MB for as long as the session lives.
        pid = os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, file.fileno(), number) for number, file in enumerate((words, journal, errors))
            ],
            setsid=True,
            setsigdef=_IGNORED_BY_PYTHON,
        )
    return SpawnedProcess(_identity(pid))


def _identity(pid: int) -> ProcessIdentity:
    """Return the identity of a child that was just started. It runs, whether or not it can be looked at: this raises
    nothing, since a launch that is reported as failed is launched a second time.
    """
    try:
        found = identify(pid)
    except OSError:
        found = None
    return found or ProcessIdentity(pid, "", UNKNOWN_START)


def send(process: ClaudeProcess, number: signal.Signals) -> bool:
    """Signals the process and its group, unless it has ended; says whether it has signalled.

    The group too: the binary may be a script that waits for the real one.
    """
    if process.poll() is not None:
        return False
    try:
        os.killpg(process.identity.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def _standing_in(directory: str, umask: int) -> Iterator[None]:
    """What a child inherits of its parent; the supervisor itself stands in the root, and keeps its files private."""
    os.chdir(directory)
    own = os.umask(umask)
    try:
        yield
    finally:
        os.umask(own)
        os.chdir("/")


def _create(path: Path) -> BinaryIO:
    # Appending: what a second writer should add by mistake goes behind what is there.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "ab")
