"""The Claude Code process: spawned by this supervisor, or adopted from one that died."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from hldctl.paths import SessionFiles
from hldctl.private_files import PRIVATE_FILE
from hldctl.supervisor import input_pipe
from hldctl.system import file_lock
from hldctl.system.processes import UNKNOWN_START, ProcessIdentity, exit_code_of_zombie, identify, is_running

# Python ignores these signals; a child process expects their default action, which is to die.
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


@dataclass(frozen=True)
class Exit:
    """The exit of a process. A negative `code` is a signal; None if no supervisor saw the exit."""

    code: int | None
    is_of_adopted: bool = False
    """True if the process was started by another supervisor, after whose death it may have found its input closed."""

    @property
    def signal(self) -> int | None:
        """The signal that ended the process, directly or through a handler or shell that exits with 128 + signal."""
        if self.code is None:
            return None
        number = -self.code if self.code < 0 else self.code - 128
        return number if number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL) else None


class ClaudeProcess(Protocol):
    identity: ProcessIdentity

    def poll(self) -> Exit | None:
        """Return the exit, or None while the process runs."""


class SpawnedProcess:
    """A child of this process. No other process can get its pid until it is reaped."""

    def __init__(self, identity: ProcessIdentity) -> None:
        self.identity = identity
        self.input: input_pipe.InputPipe | None = None
        """The pipe that holds its first line, until the monitor takes it."""
        self._exit: Exit | None = None

    def retry_identification(self) -> bool:
        """Identify a process that could not be identified when it started; return whether that has succeeded."""
        if self._exit is not None or self.identity.started != UNKNOWN_START:
            return False
        self.identity = _identify_child(self.identity.pid)
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
    """A child of another process. Its exit can be seen, but its exit code only while it is a zombie."""

    def __init__(self, identity: ProcessIdentity) -> None:
        self.identity = identity

    def poll(self) -> Exit | None:
        return None if is_running(self.identity) else Exit(exit_code_of_zombie(self.identity), is_of_adopted=True)


def spawn(
    command: list[str], files: SessionFiles, *, working_dir: str, environment: dict[str, str], umask: int
) -> SpawnedProcess:
    """Start Claude Code with the input pipe and files as its standard streams. Raise OSError if it cannot be run.

    It gets a process session of its own: neither a terminal nor its supervisor's death affects it, and one signal
    reaches all descendants that have not left its process group.
    """
    with (
        os.fdopen(input_pipe.open_for_claude(files), "rb", buffering=0) as standard_input,
        _open_for_append(files.journal) as journal,
        _open_for_append(files.errors) as errors,
        _working_directory_and_umask(working_dir, umask),
    ):
        # Claude Code inherits this lock: in another PID namespace, the journal's lock shows whether it is alive.
        file_lock.hold(journal.fileno())
        # Not with subprocess: importing it takes 0.65 MB for the lifetime of the session.
        pid = os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, file.fileno(), number)
                for number, file in enumerate((standard_input, journal, errors))
            ],
            setsid=True,
            setsigdef=IGNORED_BY_PYTHON,
        )
    return SpawnedProcess(_identify_child(pid))


def _identify_child(pid: int) -> ProcessIdentity:
    """Return the identity of a child that has just been started, with UNKNOWN_START if it cannot be identified.

    Raise nothing: the child runs, and a launch that is reported as failed would be repeated.
    """
    try:
        identity = identify(pid)
    except OSError:
        identity = None
    return identity or ProcessIdentity(pid, "", UNKNOWN_START)


def send_signal(process: ClaudeProcess, number: signal.Signals) -> bool:
    """Send a signal to the process group, unless the process has ended; return whether the signal was sent.

    To the group, because the binary may be a script that waits for the real one.
    """
    if process.poll() is not None:
        return False
    try:
        os.killpg(process.identity.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def _working_directory_and_umask(directory: str, umask: int) -> Iterator[None]:
    """Set what a child inherits; then restore the supervisor's own: the root directory, and a private umask."""
    os.chdir(directory)
    own_umask = os.umask(umask)
    try:
        yield
    finally:
        os.umask(own_umask)
        os.chdir("/")


def _open_for_append(path: Path) -> BinaryIO:
    # O_APPEND: if there ever is a second writer, it cannot overwrite existing output.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "ab")
