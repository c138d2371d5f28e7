"""The supervisor's process: `python -m hldctl.supervisor launch` or `adopt SESSION`, started by a command.

It reports to the one who started it by a line on standard output, then lets go of all that it inherited.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import replace

from hldctl.errors import HldctlError, UnfitEnvironment, WrongState
from hldctl.ingest import session_record
from hldctl.ingest.replay import recover
from hldctl.paths import PRIVATE_FILE, SessionFiles, StateDirectory, touch
from hldctl.protocol.launch_request import LaunchRequest, name_taken
from hldctl.states import IfRunning, Status
from hldctl.store import scheduler, sessions
from hldctl.store.database import opened
from hldctl.store.scheduler import NameTaken
from hldctl.supervisor import launch, queue
from hldctl.supervisor.adopt import adopt, require_sight_of_processes
from hldctl.supervisor.claude_process import ClaudeProcess
from hldctl.supervisor.handshake import Answer
from hldctl.supervisor.lifecycle import Life
from hldctl.supervisor.termination import adopt_orphans
from hldctl.system import file_lock, file_size_limit
from hldctl.system.error_log import log, log_trouble, log_uncaught_exceptions

_ADOPTION_SECONDS = 2.0
"""How long to try for the lock: longer than any probe holds it, so that of several adopters one succeeds."""


def main(mode: str, session_id: str | None = None) -> None:
    os.umask(0o077)
    _survive_signals()
    adopt_orphans()
    if session_id is not None:
        _adopt(_state().settled(), session_id)
    elif request := sys.stdin.buffer.read():
        launched = replace(LaunchRequest.from_bytes(request), environment=dict(os.environ))
        _launch(_state(), launched)
    # Without a request the command that started this process early had nothing to launch.


def _state() -> StateDirectory:
    state = StateDirectory.from_environment()
    # It may have been said relative to a directory that this process leaves.
    os.environ["HLDCTL_HOME"] = str(state.root)
    return state


def _launch(state: StateDirectory, request: LaunchRequest) -> None:
    answer = Answer(request.session_id)
    process = None
    try:
        process = _enter(state, request, answer)
    except NameTaken as error:
        _yield(request, error.session_id, answer)
        return
    except HldctlError as error:
        answer.refuse(error)
    except Exception as error:
        log_trouble()
        of_the_machine = isinstance(error, OSError | MemoryError)
        kind = UnfitEnvironment if of_the_machine else HldctlError
        answer.refuse(kind(f"The supervisor of {request.session_id} failed: {error!r}."))
        return
    else:
        if process is not None:
            answer.accept()
    Life(state.settled(), request.session_id, answer).go_on(process)


def _enter(state: StateDirectory, request: LaunchRequest, answer: Answer) -> ClaudeProcess | None:
    """Makes the session, and starts Claude Code if that may be at once."""
    state.prepare()
    file_size_limit.require(state.database)
    slots = queue.slots()
    may_wait = request.name is not None or slots.concern(request.run_policy.group_name)
    row_to_be = session_record.from_request(request)
    files = launch.prepare_files(request, row_to_be, state, may_wait=may_wait)
    _log_to(files)
    os.chdir("/")
    is_recorded = False
    try:
        with opened(state):
            new = session_record.new_session(row_to_be, request.settings.mcp_config)
            entry = scheduler.admit(new, request.if_running, slots)
            is_recorded = True
            answer.sharing = sessions.working_in(request.settings.working_dir, but=request.session_id)
            for replaced in entry.replaced:
                touch(state.session(replaced).wake_signal)
                touch(state.session(replaced).change_signal)
            if entry.status is Status.STARTING:
                process = launch.start_claude(request, state, files)
                if not request.is_needed_later:
                    files.request.unlink(missing_ok=True)
                return process
            session_record.keep_current(request.session_id, files)
    except BaseException:
        if not is_recorded:
            launch.discard(files)
        raise
    answer.queue()
    return None


def _yield(request: LaunchRequest, running: str, answer: Answer) -> None:
    if request.if_running is IfRunning.SKIP:
        answer.defer(running)
    else:
        answer.refuse(WrongState(name_taken(request.name, running)))


def _adopt(state: StateDirectory, session_id: str) -> None:
    files = state.session(session_id)
    answer = Answer(session_id)
    try:
        # Before anything of it is read: its files and its row say what is run.
        state.prepare()
        files.require_own()
        require_sight_of_processes()
    except UnfitEnvironment as error:
        answer.refuse(error)
        return
    if file_lock.acquire_quickly(files.lock, _ADOPTION_SECONDS) is None:
        answer.accept()
        return
    _log_to(files)
    os.chdir("/")
    try:
        file_size_limit.require(state.database)
    except UnfitEnvironment as error:
        # It would hold the lock for ever, and record nothing.
        log(str(error))
        answer.refuse(error)
        return
    with opened(state):
        if sessions.get(session_id) is None:
            recover(files)
        session = sessions.get(session_id)
        process = None if session is None or session.completed_at is not None else adopt(session, files)
    if process is None:
        # It is to be started yet, or has ended: neither is to be waited for.
        answer.accept()
    Life(state, session_id, answer).go_on(process)
    answer.accept()


def _log_to(files: SessionFiles) -> None:
    """From here on what goes to standard error, tracebacks among it, is in the session's log.

    Without one, on a full disk say, the session is supervised all the same.
    """
    log_uncaught_exceptions()
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
