"""The judgement of a finished run by the session's check: the session is completed, continues, or has failed.

A try is recorded before it runs. If this supervisor is killed, the one that adopts the session ends what the check has
left running and runs the same try again.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping
from typing import NamedTuple

from hldctl.claude import environment, input_messages
from hldctl.ingest import session_record
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import touch
from hldctl.protocol.check import CheckRecord, CheckTry, load_record, output_message_id
from hldctl.protocol.restart import Restart, load_restarts
from hldctl.states import EndReason, RestartKind, Status
from hldctl.store import checks, sessions
from hldctl.store.json_view import session_object
from hldctl.store.session import Session
from hldctl.store.sessions import Ending
from hldctl.supervisor import input_files
from hldctl.supervisor.check.command import CheckCommand, CommandResult
from hldctl.supervisor.claude_process import ClaudeProcess, Exit
from hldctl.supervisor.outcome import ending_for_stop
from hldctl.supervisor.retry_policy import is_budget_spent
from hldctl.supervisor.termination import descendants, end_descendants
from hldctl.system import cgroup
from hldctl.system.clock import current_time_ms
from hldctl.system.error_log import log_exception
from hldctl.system.processes import ProcessIdentity, identify, recorded_identity
from hldctl.user_commands import start

# The exit codes of a shell that has found no program, or may not run it.
_NOT_RUN = (126, 127)
# System faults after which the caller retries.
_TRANSIENT_ERRORS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT)
_VARIABLES = ("claude_session_id", "cost_usd", "name", "num_turns", "result_content", "run_id", "title", "working_dir")
_MAX_VARIABLE_BYTES = 10_000
# Of the end of the output in an error message.
_MAX_LINES = 10
_MAX_CHARACTERS = 1_500
# Of the command in a note.
_MAX_COMMAND_LENGTH = 200
_PRIVATE_UMASK = 0o077


class Verdict(NamedTuple):
    """The end of the session."""

    ending: Ending
    left_running: list[ProcessIdentity]


def ending_under_check(session: Session) -> Ending | None:
    """Return how Claude Code has ended, if that has been decided and its check has begun; otherwise None.

    A supervisor that adopts the session cannot see the exit code.
    """
    record = load_record(session)
    if record.current_try(len(load_restarts(session))) is None:
        return None
    return Ending(Status.COMPLETED, EndReason.SUCCESS, exit_code=record.claude_exit_code)


def judge(
    state: StateDirectory, session: Session, ending: Ending, offset: int, process: ClaudeProcess
) -> Verdict | None:
    """Run the check; return how the session ends, or None if Claude Code continues, which is recorded.

    `ending` is how the session ends if the check passes, `offset` the end of its journal, `process` the Claude Code
    that has exited.
    """
    record = load_record(session)
    current = record.current_try(len(load_restarts(session)))
    if current is None:
        left_running = _session_processes(process, session.id)
    else:
        left_running = [recorded_identity(pid, session.boot_id, at) for pid, at in session.left_running or ()]
        end_descendants(process, session.id, spared=left_running)
    if current is None or current.ended_at is None:
        current = CheckTry(len(load_restarts(session)), offset, current_time_ms())
        record = record.with_try(current)._replace(claude_exit_code=ending.exit_code)
        files = state.session(session.id)
        cgroup.release(session.id, files.cgroup)
        checks.begin_try(session.id, record.as_json(), left_running, current.began_at)
        session_record.save_current(session.id, files)
        touch(files.change_signal)
        result = _run(state, session, files, len(record.tries), left_running)
        cgroup.release(session.id, files.cgroup)
        decided = _decide(session, record, result, files)
        if decided is None:
            return None
        record, current = decided, decided.tries[-1]
    if current.passed:
        return Verdict(ending, left_running)
    if current.passed is None:
        request = sessions.interrupt_request(session.id)
        reason = EndReason.INTERRUPTED if request is None else request.reason
        return Verdict(ending_for_stop(reason, session, Exit(ending.exit_code)), [])
    # Without another try only because of the budget.
    is_over_budget = _has_tries_left(session, current.exit_code, record.failures) and is_budget_spent(session)
    reason = EndReason.BUDGET if is_over_budget else EndReason.CHECK_FAILED
    return Verdict(Ending(Status.FAILED, reason, record.error, ending.exit_code), left_running)


def _has_tries_left(session: Session, exit_code: int | None, failures: int) -> bool:
    """Return whether the check may run again after it failed; not if it cannot be run at all."""
    return exit_code is not None and exit_code not in _NOT_RUN and failures < session.check_tries


def _session_processes(process: ClaudeProcess, session_id: str) -> list[ProcessIdentity]:
    pids = descendants(process, session_id)
    return [identity for pid in pids if (identity := identify(pid)) is not None]


def _run(
    state: StateDirectory, session: Session, files: SessionFiles, number: int, spared: list[ProcessIdentity]
) -> CommandResult:
    if (interrupt := sessions.interrupt_request(session.id)) is not None:
        return CommandResult(None, "", False, interrupt.reason)
    request = input_files.load_request(files)
    variables = _variables(state, session, number)
    if request is None:
        launcher, umask = (
            environment.session_environment(
                os.environ, {}, session_id=session.id, run_id=session.run_id, state_directory=state.root
            ),
            _PRIVATE_UMASK,
        )
    else:
        launcher, umask = (
            environment.session_environment(
                request.environment,
                request.settings.environment,
                session_id=session.id,
                run_id=session.run_id,
                state_directory=state.root,
            ),
            request.umask,
        )
    # Only Claude Code needs them.
    launcher = {name: value for name, value in launcher.items() if name not in input_messages.VARIABLES}
    try:
        command = CheckCommand(session, files, {**launcher, **variables}, umask, number)
    except OSError as error:
        if error.errno in _TRANSIENT_ERRORS:
            raise
        log_exception()
        return CommandResult(None, str(error), False)
    return command.wait(spared)


def _variables(state: StateDirectory, session: Session, number: int) -> Mapping[str, str]:
    return {
        **start.variables(session_object(session), _VARIABLES, _MAX_VARIABLE_BYTES),
        "HLDCTL_CHECK_TRY": str(number),
    }


def _decide(session: Session, record: CheckRecord, result: CommandResult, files: SessionFiles) -> CheckRecord | None:
    """Record how a try ended; return the record with it, or None if Claude Code continues."""
    now = current_time_ms()
    command = " ".join((session.check_command or "").split())[:_MAX_COMMAND_LENGTH]
    ended = record.tries[-1]._replace(ended_at=now, exit_code=result.exit_code)
    record = record._replace(output=result.output)
    if result.stop_reason is not None:
        ended = ended._replace(note=f"The check was stopped: {command}")
        record = record.with_try(ended)
        checks.end_try(session.id, record.as_json())
        return record
    number = record.failures + 1
    if result.exit_code == 0:
        ended = ended._replace(passed=True, note=f"The check passed (try {number} of {session.check_tries}): {command}")
        record = record.with_try(ended)
        if checks.end_passed_try(session.id, record.as_json()):
            return record
        ended = ended._replace(note=f"{ended.note}. A message has arrived, so Claude Code continues.")
        _restart(session, record.with_try(ended), RestartKind.MESSAGE, "a message has arrived", None)
        return None
    how = _how(result.exit_code)
    tries = f"try {number} of {session.check_tries}"
    ended = ended._replace(passed=False, note=f"The check {how} ({tries}): {command}")
    record = record.with_try(ended)
    if not _has_tries_left(session, result.exit_code, number) or is_budget_spent(session):
        record = record._replace(error=_error(f"The check {how} ({tries}): {command}", result.output))
        checks.end_try(session.id, record.as_json())
        return record
    message_id = output_message_id(session.id, len(record.tries))
    text = _message(session, files, len(record.tries), f"{how} ({tries})", result)
    _restart(session, record, RestartKind.CHECK, f"the check {how}", checks.Output(message_id, text))
    return None


def _restart(
    session: Session, record: CheckRecord, kind: RestartKind, reason: str, output: checks.Output | None
) -> None:
    last = record.tries[-1]
    now = current_time_ms()
    restarts = [*load_restarts(session), Restart(kind, last.offset, now, now, reason, last.note)]
    checks.restart_after_try(session.id, record.as_json(), [each.as_json() for each in restarts], output, now)


def _how(exit_code: int | None) -> str:
    """Return how the command failed, completing "The check …"."""
    if exit_code is None:
        return "could not be started"
    if exit_code in _NOT_RUN:
        return f"cannot be run, exit code {exit_code}"
    if exit_code < 0:
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"failed with exit code {exit_code}"


def _message(session: Session, files: SessionFiles, number: int, how: str, result: CommandResult) -> str:
    """Return what the model gets."""
    beginning = f"The check `{session.check_command}` {how}."
    where = f"\n\nThe whole output is in {files.check_output(number)}." if result.is_cut else ""
    output = f"Its output:\n\n{result.output.strip(chr(10))}" if result.output.strip() else "It printed nothing."
    return f"{beginning} {output}{where}\n\nFix what it reports. It runs again when you are done."


def _error(beginning: str, output: str) -> str:
    lines = output.strip().splitlines()[-_MAX_LINES:]
    return "\n".join([beginning, "\n".join(lines)[-_MAX_CHARACTERS:]]).strip()
