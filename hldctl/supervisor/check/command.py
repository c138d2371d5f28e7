"""The run of a check's command: it is stopped with the session, and leaves no process."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import NamedTuple

from hldctl.paths import SessionFiles
from hldctl.private_files import replace_private, touch
from hldctl.protocol.interrupt import GRACE_SECONDS
from hldctl.states import EndReason
from hldctl.store import sessions
from hldctl.store.session import Session
from hldctl.supervisor.check.output import OutputFile
from hldctl.supervisor.claude_process import IGNORED_BY_PYTHON, Exit, SpawnedProcess
from hldctl.supervisor.termination import StopSequence, end_descendants, reap
from hldctl.supervisor.timeouts import monotonic_deadline
from hldctl.system import cgroup
from hldctl.system.clock import current_time_ms
from hldctl.system.processes import UNKNOWN_START, ProcessIdentity, identify
from hldctl.system.watcher import Wakeup

# The shell waits until it is in the session's cgroup; its arguments are the script, the directory and the umask. Every
# local user can read the arguments of a process, so the command is in a file.
_SHELL_COMMAND = 'read -r _ || exit; cd -- "$2" || exit 126; umask "$3"; exec /bin/sh "$1" </dev/null'
_CHUNK_BYTES = 1 << 16
# Chunks that are read before the loop looks for an interrupt again.
_CHUNKS = 64
# Interval of looking for requests without a wake-up: a command may be killed between its commit and its touch.
_POLL_SECONDS = 5.0


class CommandResult(NamedTuple):
    """How the command ended."""

    exit_code: int | None
    """Negative for a signal."""
    output: str
    is_cut: bool
    """True if `output` is not the whole output."""
    stop_reason: EndReason | None = None
    """Why the session has to stop, if it has to."""


class CheckCommand:
    """A check's command that runs."""

    def __init__(
        self, session: Session, files: SessionFiles, environment: Mapping[str, str], umask: int, number: int
    ) -> None:
        """Start the command as the try with this number; raise OSError if that is impossible."""
        assert session.check_command is not None, "the session has no check"
        self._session = session
        self._files = files
        self._deadline_seconds = monotonic_deadline(session)
        self._stop_reason: EndReason | None = None
        self._woken_at_ns = -1
        self._next_poll = 0.0
        replace_private(files.check_script, f"{session.check_command}\n".encode(errors="surrogateescape"))
        self._output = OutputFile(files.check_output(number))
        self._reader: int | None
        try:
            self._process, self._reader, go = _start(session, files, environment, umask)
        except OSError:
            self._output.close()
            raise
        self._stop = StopSequence(self._process, session.id)
        cgroup.enclose(self._process.identity.pid, session.id, files.cgroup)
        os.write(go, b"\n")
        os.close(go)

    def wait(self, spared: Collection[ProcessIdentity]) -> CommandResult:
        """Return how the command ended, once no process of it is left; `spared` are not its own.

        If the session has to stop, all of its processes are ended.
        """
        try:
            exit = self._wait_for_exit()
            end_descendants(self._process, self._session.id, spared=() if self._stop_reason is not None else spared)
            self._read_output()
        finally:
            if self._reader is not None:
                os.close(self._reader)
            self._output.close()
        return CommandResult(exit.code, self._output.text(), self._output.is_cut, self._stop_reason)

    def _wait_for_exit(self) -> Exit:
        while True:
            reader = self._reader
            watched = [] if reader is None else [reader]
            with closing(Wakeup([self._files.wake_signal], [self._process.identity.pid], watched)) as wakeup:
                # A pipe that has been closed would wake this process again and again.
                while self._reader == reader:
                    if (exit := self._process.poll()) is not None:
                        return exit
                    reap(self._process)
                    self._read_output()
                    self._look_for_stop()
                    wakeup.wait(self._wait_seconds())

    def _read_output(self) -> None:
        """Read what the pipe has, or the first part of it if it is filled again and again."""
        for _ in range(_CHUNKS):
            if self._reader is None:
                return
            try:
                data = os.read(self._reader, _CHUNK_BYTES)
            except BlockingIOError:
                return
            if not data:
                os.close(self._reader)
                self._reader = None
            self._output.write(data)

    def _look_for_stop(self) -> None:
        """Find out whether the session has to stop; a timeout is recorded as a request to stop, as a command would."""
        woken_at_ns = os.stat(self._files.wake_signal).st_mtime_ns
        is_expired = self._deadline_seconds is not None and time.monotonic() >= self._deadline_seconds
        if self._stop_reason is not None or not (
            is_expired or woken_at_ns != self._woken_at_ns or time.monotonic() >= self._next_poll
        ):
            return
        self._next_poll = time.monotonic() + _POLL_SECONDS
        if is_expired:
            grace_ms = int(GRACE_SECONDS * 1000)
            sessions.request_interrupt(self._session.id, current_time_ms(), grace_ms, EndReason.TIMEOUT)
            touch(self._files.change_signal)
        if (request := sessions.interrupt_request(self._session.id)) is not None:
            self._stop_reason = request.reason
        self._woken_at_ns = woken_at_ns
        touch(self._files.wake_answer, woken_at_ns)

    def _wait_seconds(self) -> float:
        if self._stop_reason is not None:
            return self._stop.advance()
        if self._deadline_seconds is None:
            return _POLL_SECONDS
        return max(0.0, min(self._deadline_seconds - time.monotonic(), _POLL_SECONDS))


def _start(
    session: Session, files: SessionFiles, environment: Mapping[str, str], umask: int
) -> tuple[SpawnedProcess, int, int]:
    """Start the shell; return it, the pipe of its output, and the pipe to which a line has to be written.

    If this supervisor dies before it writes the line, the shell exits.
    """
    arguments = ["/bin/sh", "-c", _SHELL_COMMAND, "check", str(files.check_script), session.working_dir, f"{umask:o}"]
    go_reader, go = os.pipe()
    reader, writer = os.pipe()
    try:
        pid = os.posix_spawn(
            arguments[0],
            arguments,
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, go_reader, 0),
                (os.POSIX_SPAWN_DUP2, writer, 1),
                (os.POSIX_SPAWN_DUP2, writer, 2),
            ],
            setsid=True,
            setsigdef=IGNORED_BY_PYTHON,
        )
    except OSError:
        os.close(go)
        os.close(reader)
        raise
    finally:
        os.close(go_reader)
        os.close(writer)
    os.set_blocking(reader, False)
    return SpawnedProcess(identify(pid) or ProcessIdentity(pid, "", UNKNOWN_START)), reader, go
