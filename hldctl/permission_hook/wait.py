"""Waiting for a user's answer to a permission request, until a timeout or the end of Claude Code."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import apsw

from hldctl.claude import permission_hook, questions
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.permission_hook.decide import SESSION_ENDED, matching_rule
from hldctl.permission_hook.notify import Notifier
from hldctl.private_files import PRIVATE_DIRECTORY, PRIVATE_FILE, touch
from hldctl.states import ApprovalKind, ApprovalStatus
from hldctl.store import approvals
from hldctl.store.approvals import Approval, SessionSettings
from hldctl.system.clock import current_time_ms
from hldctl.system.processes import identify, is_running
from hldctl.system.watcher import Wakeup

# How often to check the database without a wake-up: a command may be killed between its commit and its signal.
_POLL_SECONDS = 5.0
_UNANSWERED = "Nobody answered the permission request in time."
_UNANSWERED_QUESTION = "Nobody answered the question in time."


class _Terminated(BaseException):
    """A SIGTERM from Claude Code, which no longer waits for the answer."""


def wait_for_answer(
    connection: apsw.Connection, request: Approval, settings: SessionSettings, home: str
) -> dict[str, Any]:
    """Record the request, wait for the answer, and return the decision for Claude Code."""
    files = StateDirectory(Path(home)).session(request.session_id)
    approval = _add_own_process(request)
    answer_file = files.answer_signal(approval.id)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _prepare(answer_file)
        with connection:
            if not approvals.record_request(connection, approval, settings.working_dir):
                return permission_hook.denial(SESSION_ENDED)
        _send_signals(files)
        return _wait(connection, approval, settings, files)
    except _Terminated:
        return _expire(connection, approval, files, "Claude Code withdrew the request")
    except Exception as error:
        _expire(connection, approval, files, f"the hook failed: {error!r}")
        raise
    finally:
        answer_file.unlink(missing_ok=True)


def _add_own_process(request: Approval) -> Approval:
    process = identify(os.getpid())
    if process is None:
        raise RuntimeError("processes cannot be inspected; is /proc mounted?")
    return request._replace(hook_pid=process.pid, hook_started=process.started, boot_id=process.boot_id)


def _prepare(answer_file: Path) -> None:
    answer_file.parent.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    os.close(os.open(answer_file, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))


def _wait(
    connection: apsw.Connection, approval: Approval, settings: SessionSettings, files: SessionFiles
) -> dict[str, Any]:
    claude_pid = os.environ.get("CLAUDE_PID", "")
    claude = identify(int(claude_pid) if claude_pid.isdecimal() else os.getppid())
    timeout = _timeout(approval, settings)
    deadline = None if timeout is None else time.monotonic() + timeout.milliseconds / 1000
    notifier = Notifier(settings.on_approval, approval, files, _token(connection, settings, approval))
    wakeup = Wakeup([files.answer_signal(approval.id)], [claude.pid] if claude is not None else [])
    try:
        while True:
            current = approvals.get(connection, approval.id)
            if current is None or current.status == ApprovalStatus.EXPIRED:
                return permission_hook.denial("The permission request has expired.")
            if current.status != ApprovalStatus.PENDING:
                return _recorded_decision(current)
            if _resolve_by_new_rule(connection, current, files):
                continue
            if claude is None or not is_running(claude):
                return _expire(connection, approval, files, "Claude Code ended")
            remaining = _POLL_SECONDS if deadline is None else deadline - time.monotonic()
            if remaining <= 0 and timeout is not None:
                _resolve(connection, approval, files, timeout.status, timeout.decision, timeout.comment)
                continue
            wakeup.wait(min(remaining, _POLL_SECONDS))
            notifier.reap()
    finally:
        wakeup.close()


def _token(connection: apsw.Connection, settings: SessionSettings, approval: Approval) -> str | None:
    """Return a token that lets the user's command answer, although it is a descendant of the session.

    None without a command, and in a session that was launched within another one.
    """
    if settings.on_approval is None or settings.launched_within is not None:
        return None
    from hldctl.store import command_tokens

    return command_tokens.issue(connection, approval.session_id)


def _resolve_by_new_rule(connection: apsw.Connection, approval: Approval, files: SessionFiles) -> bool:
    """Allow the request if a rule added while it waited allows it, and return whether that was so."""
    settings = approvals.settings(connection, approval.session_id)
    request = permission_hook.Request(approval.tool_name, json.loads(approval.tool_input), approval.suggested_rule)
    home = str(files.directory.parent.parent)
    if (
        settings is None
        or (rule := matching_rule(connection, approval.session_id, settings, request, current_time_ms(), home)) is None
    ):
        return False
    decision = permission_hook.call_allowance(request.tool_name, request.tool_input)
    _resolve(connection, approval, files, ApprovalStatus.APPROVED, decision, rule)
    return True


def _recorded_decision(approval: Approval) -> dict[str, Any]:
    if approval.answer is None:
        # The call already has a result, so this decision is too late to have an effect.
        return permission_hook.denial("Another hook decided about this call.")
    decision: dict[str, Any] = json.loads(approval.answer)
    return decision


class _Timeout(NamedTuple):
    """What happens to a request that nobody answers, and after how long."""

    milliseconds: int
    status: ApprovalStatus
    decision: dict[str, Any]
    comment: str


def _timeout(approval: Approval, settings: SessionSettings) -> _Timeout | None:
    """Return the timeout of a request; None if it waits for as long as its session lives."""
    tool_input = json.loads(approval.tool_input)
    if approval.kind is ApprovalKind.QUESTION:
        return _question_timeout(tool_input, settings)
    if settings.approval_timeout_ms is None:
        return None
    if settings.approval_timeout_allows:
        decision = permission_hook.call_allowance(approval.tool_name, tool_input)
        comment = "allowed by --approval-timeout"
        return _Timeout(settings.approval_timeout_ms, ApprovalStatus.APPROVED, decision, comment)
    return _denial_at(settings.approval_timeout_ms, _UNANSWERED, "--approval-timeout")


def _question_timeout(tool_input: dict[str, Any], settings: SessionSettings) -> _Timeout | None:
    if settings.question_timeout_ms is None:
        # A question cannot be allowed, only answered.
        timeout_ms = settings.approval_timeout_ms
        return None if timeout_ms is None else _denial_at(timeout_ms, _UNANSWERED_QUESTION, "--approval-timeout")
    if settings.question_timeout_takes_first:
        answers = questions.first_choices(questions.parse_questions(tool_input))
        decision = permission_hook.allowance(questions.answered_input(tool_input, answers))
        comment = "answered by --question-timeout"
        return _Timeout(settings.question_timeout_ms, ApprovalStatus.APPROVED, decision, comment)
    return _denial_at(settings.question_timeout_ms, _UNANSWERED_QUESTION, "--question-timeout")


def _denial_at(milliseconds: int, message: str, option: str) -> _Timeout:
    denial = permission_hook.denial(message)
    return _Timeout(milliseconds, ApprovalStatus.DENIED, denial, f"denied by {option}")


def _resolve(
    connection: apsw.Connection,
    approval: Approval,
    files: SessionFiles,
    status: ApprovalStatus,
    decision: dict[str, Any],
    rule: str,
) -> None:
    """Record a decision by a rule; an answer that has already been recorded remains."""
    with connection:
        approvals.resolve(
            connection,
            approval.id,
            status,
            now=current_time_ms(),
            answered_by="a rule",
            answer=json.dumps(decision),
            comment=rule,
        )
    _send_signals(files)


def _expire(connection: apsw.Connection, approval: Approval, files: SessionFiles, why: str) -> dict[str, Any]:
    """Mark the request as expired, and return the decision that is recorded: an answer may have come just before."""
    with connection:
        approvals.resolve(
            connection,
            approval.id,
            ApprovalStatus.EXPIRED,
            now=current_time_ms(),
            answered_by="Claude Code",
            comment=why,
        )
        current = approvals.get(connection, approval.id)
    _send_signals(files)
    if current is not None and current.answer is not None:
        return _recorded_decision(current)
    return permission_hook.denial("The permission request has expired.")


def _send_signals(files: SessionFiles) -> None:
    """Wake the followers of the conversation and the supervisor, which monitors this process from now on."""
    touch(files.change_signal)
    touch(files.wake_signal)


def _terminate(number: int, frame: FrameType | None) -> None:
    # Ignored from now on, so that recording the end is not interrupted.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Terminated
