"""The supervisor's process: `python -m hldctl.supervisor launch` or `adopt SESSION`, started by a command.

It reports to the one who started it by a line on standard output, then lets go of all that it inherited.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from hldctl.errors import ExitCode, HldctlError
from hldctl.host import lock
from hldctl.host.paths import PRIVATE_FILE, SessionFiles, StateDirectory
from hldctl.store import sessions
from hldctl.store.database import opened
from hldctl.supervisor import row, start
from hldctl.supervisor.adopt import adopt
from hldctl.supervisor.claude_process import SpawnedProcess
from hldctl.supervisor.rebuild import recover
from hldctl.supervisor.report import Report
from hldctl.supervisor.request import LaunchRequest
from hldctl.supervisor.stop import adopt_orphans
from hldctl.supervisor.supervision import Supervision
from hldctl.supervisor.trouble import log_trouble

_ADOPTION_SECONDS = 2.0
"""How long to try for the lock: longer than any probe holds it, so that of several adopters one succeeds."""


def main(mode: str, session_id: str | None = None) -> None:
    os.umask(0o077)
    _survive_signals()
    adopt_orphans()
    if session_id is not None:
        _adopt(StateDirectory.from_environment(), session_id)
    elif request := sys.stdin.buffer.read():
        _launch(StateDirectory.from_environment(), LaunchRequest.from_bytes(request))
    # Without a request the command that started this process early had nothing to launch.


def _launch(state: StateDirectory, request: LaunchRequest) -> None:
    answer = _Answer(request.session_id)
    try:
        process = _start(state, request)
    except HldctlError as error:
        answer.refuse(str(error), error.exit_code)
    except Exception as error:
        log_trouble()
        of_the_machine = isinstance(error, OSError | MemoryError)
        exit_code = ExitCode.ENVIRONMENT if of_the_machine else ExitCode.FAILED
        answer.refuse(f"The supervisor of {request.session_id} failed: {error!r}.", exit_code)
    else:
        answer.accept()
        Supervision(state, request.session_id, process).run()


def _start(state: StateDirectory, request: LaunchRequest) -> SpawnedProcess:
    state.prepare()
    row_to_be = row.of_request(request)
    files = start.prepare_files(request, row_to_be, state)
    _log_to(files)
    os.chdir("/")
    is_recorded = False
    try:
        with opened(state):
            row.create(row_to_be, request.settings.mcp_config)
            is_recorded = True
            return start.start_claude(request, state, files)
    except BaseException:
        if not is_recorded:
            start.discard(files)
        raise


def _adopt(state: StateDirectory, session_id: str) -> None:
    files = state.session(session_id)
    answer = _Answer(session_id)
    if lock.acquire(files.lock, _ADOPTION_SECONDS) is None:
        answer.accept()
        return
    _log_to(files)
    os.chdir("/")
    with opened(state):
        if sessions.get(session_id) is None:
            recover(files)
        session = sessions.get(session_id)
        process = None if session is None or session.completed_at is not None else adopt(session, files)
    if process is not None:
        Supervision(state, session_id, process).run(when_following=answer.accept)
    answer.accept()


class _Answer:
    """The report to whoever started this process: sent once, and then all that was inherited is let go of."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._given = False

    def accept(self) -> None:
        self._give(Report(self._session_id))

    def refuse(self, error: str, exit_code: int) -> None:
        self._give(Report(self._session_id, error, exit_code))

    def _give(self, report: Report) -> None:
        if not self._given:
            self._given = True
            _send(report)
            _let_go()


def _send(report: Report) -> None:
    # Whoever asked may have gone; the session goes on.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, report.to_bytes())


def _let_go() -> None:
    """Closes what would make `$(hldctl launch …)`, ssh or a CI step wait for this process."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _log_to(files: SessionFiles) -> None:
    """From here on what goes to standard error, tracebacks among it, is in the session's log.

    Without one, on a full disk say, the session is supervised all the same.
    """
    with contextlib.suppress(OSError):
        log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
        os.dup2(log, 2)
        os.close(log)


def _survive_signals() -> None:
    """A closing terminal, Ctrl-C and a polite kill are not for the supervisor: it ends when its Claude Code has.

    Handlers rather than SIG_IGN, which Claude Code and its tools would inherit.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


if __name__ == "__main__":
    main(*sys.argv[1:])
