"""The main function of a supervisor: `python -m hldctl.supervisor launch` or `adopt SESSION`, started by a command.

The supervisor reports to that command with one line on standard output, then closes the streams that it inherited.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import replace

from hldctl.errors import HldctlError, UnfitEnvironment, WrongState
from hldctl.ingest import session_record
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import PRIVATE_FILE, touch
from hldctl.protocol.dependencies import refusal_message
from hldctl.protocol.launch_request import LaunchRequest, name_taken_message
from hldctl.states import IfRunning, Status, WaitReason
from hldctl.store import sessions
from hldctl.store.admission import scheduler
from hldctl.store.admission.lineage import Launching, LaunchRefused
from hldctl.store.admission.predecessors import PredecessorAtFault
from hldctl.store.budgets.waits import BudgetWait
from hldctl.store.database import open_database
from hldctl.supervisor import launch, sharing
from hldctl.supervisor.claude_process import ClaudeProcess
from hldctl.supervisor.guard import GUARDED
from hldctl.supervisor.handshake import Handshake
from hldctl.supervisor.lineage.launchers import add_launchers
from hldctl.supervisor.processes.orphans import adopt_orphans
from hldctl.supervisor.queue.wake import load_rules
from hldctl.system import file_lock, file_size_limit
from hldctl.system.clock import current_time_ms, format_local_time
from hldctl.system.error_log import log, log_exception, log_uncaught_exceptions

# Timeout for the lock: longer than any probe holds it, so that one of several adopters succeeds.
_LOCK_TIMEOUT_SECONDS = 2.0


def main(mode: str, session_id: str | None = None, *options: str) -> None:
    """Adopt the session if an id is given; otherwise launch the one requested on standard input."""
    os.umask(0o077)
    _ignore_signals()
    adopt_orphans()
    if session_id is not None:
        _adopt(_state_directory().as_existing(), session_id, is_guarded=GUARDED in options)
    elif request_bytes := sys.stdin.buffer.read():
        request = replace(LaunchRequest.from_bytes(request_bytes), environment=dict(os.environ))
        _launch(_state_directory(), request)
    # Without a request the command that started this process early had nothing to launch.


def _state_directory() -> StateDirectory:
    state = StateDirectory.from_environment()
    # It may be relative to a directory that this process leaves.
    os.environ["HLDCTL_HOME"] = str(state.root)
    return state


def _launch(state: StateDirectory, request: LaunchRequest) -> None:
    handshake = Handshake(request.session_id)
    process = None
    try:
        process = _create_session(state, request, handshake)
    except scheduler.NameTaken as error:
        _report_name_taken(request, error.session_id, handshake)
        return
    except launch.SessionExists:
        handshake.defer(request.session_id)
        return
    except PredecessorAtFault as error:
        handshake.refuse(WrongState(refusal_message(error.fault)))
        return
    except LaunchRefused as error:
        # Imported here: few launches are refused.
        from hldctl.supervisor.lineage.refusals import refusal_message as launch_refusal_message

        handshake.refuse(WrongState(launch_refusal_message(error, load_rules())))
        return
    except scheduler.OverBudget as error:
        handshake.refuse(WrongState(_budget_message(error.wait)))
        return
    except HldctlError as error:
        handshake.refuse(error)
    except Exception as error:
        log_exception()
        is_system_error = isinstance(error, OSError | MemoryError)
        kind = UnfitEnvironment if is_system_error else HldctlError
        handshake.refuse(kind(f"The supervisor of {request.session_id} failed: {error!r}."))
        return
    else:
        if process is not None:
            handshake.accept()
    # Imported here, while Claude Code starts.
    from hldctl.supervisor.lifecycle import SessionLifecycle

    SessionLifecycle(state.as_existing(), request.session_id, handshake).run(process)


def _create_session(state: StateDirectory, request: LaunchRequest, handshake: Handshake) -> ClaudeProcess | None:
    """Create the session; start Claude Code and return its process, or None if the session has to wait.

    Raise SessionExists if it was launched before, NameTaken if a session of this name runs and the request does not
    replace it or wait for it, and PredecessorAtFault if the session could never start.
    """
    state.prepare()
    file_size_limit.require_room(state.database)
    rules = load_rules()
    with open_database(state):
        request = add_launchers(request, state)
        if request.launchers:
            # Imported here: people launch most sessions.
            from hldctl.supervisor.lineage.restrictions import restrict

            request, handshake.reduced = restrict(request, state, current_time_ms())
        is_closed = scheduler.is_closed(request.account)
        has_rivals = request.name is not None or rules.has_limit_for(request.run_policy.group_name)
        may_wait = has_rivals or is_closed or request.after is not None
        row = session_record.row_from_request(request)
        files = launch.prepare_files(request, row, state, may_wait=may_wait)
        _redirect_stderr(files)
        os.chdir("/")
        is_recorded = False
        try:
            new = session_record.new_session(row, request.settings.mcp_config)
            # A gate that has closed since the look above does not hold a session without a saved request.
            entry = scheduler.admit(
                new,
                request.if_running,
                rules,
                request.if_over_budget,
                may_be_held=may_wait,
                is_attended=request.is_attended,
                launching=Launching(request.requested_at, "max_budget_usd" in request.chosen),
            )
            is_recorded = True
            if entry.max_budget_usd != request.settings.max_budget_usd:
                request = _with_budget(request, entry.max_budget_usd, files, handshake)
            if entry.waiting_for is not WaitReason.PREDECESSORS:
                # What will run beside it when they have ended is not known yet.
                handshake.sharing = sharing.sessions_beside(request)
            for replaced_id in entry.replaced:
                touch(state.session(replaced_id).wake_signal)
                touch(state.session(replaced_id).change_signal)
            if entry.status is Status.STARTING:
                process = launch.start_claude(request, state, files)
                if not request.is_needed_later:
                    files.request.unlink(missing_ok=True)
                return process
            session_record.save_current(request.session_id, files)
        except BaseException:
            if not is_recorded:
                launch.discard(files)
            raise
    handshake.queue(entry.waiting_for, entry.limit_until)
    return None


def _with_budget(
    request: LaunchRequest, max_budget_usd: float | None, files: SessionFiles, handshake: Handshake
) -> LaunchRequest:
    """Return the request with the limit that its launcher can pay, in the files, too."""
    from hldctl.supervisor.input_files import save_request

    request = replace(request, settings=replace(request.settings, max_budget_usd=max_budget_usd))
    handshake.reduced = [*handshake.reduced, f"--max-budget-usd {max_budget_usd:.4g}"]
    if files.request.exists():
        save_request(request, files)
    session_record.save_current(request.session_id, files)
    return request


def _report_name_taken(request: LaunchRequest, running_id: str, handshake: Handshake) -> None:
    if request.if_running is IfRunning.SKIP:
        handshake.defer(running_id)
    else:
        handshake.refuse(WrongState(name_taken_message(request.name, running_id)))


def _budget_message(wait: BudgetWait) -> str:
    return (
        f"The budget {wait.name} {wait.state_text} until {format_local_time(wait.until)}. "
        "Use --if-over-budget queue to wait, or raise the budget in the configuration."
    )


def _adopt(state: StateDirectory, session_id: str, *, is_guarded: bool) -> None:
    """Adopt a session, unless another supervisor holds its lock."""
    # Imported here: a launch must not wait for it.
    from hldctl.ingest.replay import recover
    from hldctl.supervisor.adopt import adopt, require_sight_of_processes
    from hldctl.supervisor.lifecycle import SessionLifecycle

    files = state.session(session_id)
    handshake = Handshake(session_id)
    try:
        # Before reading its files and its row, which say what to run.
        state.prepare()
        files.require_own()
        require_sight_of_processes()
    except UnfitEnvironment as error:
        handshake.refuse(error)
        return
    if file_lock.acquire_quickly(files.lock, _LOCK_TIMEOUT_SECONDS) is None:
        handshake.accept()
        return
    _redirect_stderr(files)
    os.chdir("/")
    try:
        file_size_limit.require_room(state.database)
    except UnfitEnvironment as error:
        # This supervisor would hold the lock for ever without being able to record anything.
        log(str(error))
        handshake.refuse(error)
        return
    with open_database(state):
        if sessions.get(session_id) is None:
            recover(files)
        session = sessions.get(session_id)
        process = None if session is None or session.completed_at is not None else adopt(session, files)
    if process is None:
        # The session has ended, or has yet to start: the command must not wait for that.
        handshake.accept()
    SessionLifecycle(state, session_id, handshake, is_guarded=is_guarded).run(process)
    handshake.accept()


def _redirect_stderr(files: SessionFiles) -> None:
    """Redirect standard error, including tracebacks, to the session's log.

    If the log cannot be opened, e.g. on a full disk, supervise the session without one.
    """
    log_uncaught_exceptions()
    with contextlib.suppress(OSError):
        descriptor = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
        os.dup2(descriptor, 2)
        os.close(descriptor)


def _ignore_signals() -> None:
    """Survive a closed terminal, Ctrl-C and SIGTERM: the supervisor exits only after its Claude Code.

    Use handlers and not SIG_IGN, which Claude Code and its tools would inherit.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
