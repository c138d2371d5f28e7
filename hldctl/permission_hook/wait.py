"""Waiting for somebody's answer: until it comes, its time is over, or nobody can hear it any more."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import apsw

from hldctl.claude import permission_hook
from hldctl.paths import PRIVATE_DIRECTORY, PRIVATE_FILE, SessionFiles, StateDirectory, touch
from hldctl.permission_hook.decide import ENDED_MEANWHILE, rule_for
from hldctl.permission_hook.notify import Notice
from hldctl.states import ApprovalStatus
from hldctl.store import approvals
from hldctl.store.approvals import Approval, SessionSettings
from hldctl.system.clock import now
from hldctl.system.processes import identify, is_running
from hldctl.system.watcher import Wakeup

_LOOK_SECONDS = 5.0
"""How often to look into the database without a wake-up: a command may be killed between its commit and its touch."""
_UNANSWERED = "Nobody answered the permission request in time."


class _Terminated(BaseException):
    """Claude Code does not wait for the answer any more."""


def wait_for_answer(
    connection: apsw.Connection, request: Approval, settings: SessionSettings, home: str
) -> dict[str, Any]:
    """Asks, and returns what Claude Code is to be told."""
    files = StateDirectory(Path(home)).session(request.session_id)
    approval = _of_this_process(request)
    answer_file = files.answer(approval.id)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _prepare(answer_file)
        with connection:
            if not approvals.ask(connection, approval, settings.working_dir):
                return permission_hook.denial(ENDED_MEANWHILE)
        _tell(files)
        return _wait(connection, approval, settings, files)
    except _Terminated:
        return _expire(connection, approval, files, "Claude Code took the request back")
    except Exception as error:
        _expire(connection, approval, files, f"the hook failed: {error!r}")
        raise
    finally:
        answer_file.unlink(missing_ok=True)


def _of_this_process(request: Approval) -> Approval:
    own = identify(os.getpid())
    if own is None:
        raise RuntimeError("processes cannot be looked at here; is /proc mounted?")
    return request._replace(hook_pid=own.pid, hook_started=own.started, boot_id=own.boot_id)


def _prepare(answer_file: Path) -> None:
    answer_file.parent.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    os.close(os.open(answer_file, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))


def _wait(
    connection: apsw.Connection, approval: Approval, settings: SessionSettings, files: SessionFiles
) -> dict[str, Any]:
    told = os.environ.get("CLAUDE_PID", "")
    claude = identify(int(told) if told.isdecimal() else os.getppid())
    timeout_ms = settings.approval_timeout_ms
    deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
    notice = Notice(settings.on_approval, approval, files, _token(connection, settings, approval))
    wakeup = Wakeup([files.answer(approval.id)], [claude.pid] if claude is not None else [])
    try:
        while True:
            current = approvals.get(connection, approval.id)
            if current is None or current.status == ApprovalStatus.EXPIRED:
                return permission_hook.denial("The permission request has expired.")
            if current.status != ApprovalStatus.PENDING:
                return _told(current)
            if _is_allowed_by_now(connection, current, files):
                continue
            if claude is None or not is_running(claude):
                return _expire(connection, approval, files, "Claude Code ended")
            remaining = _LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            if remaining <= 0:
                _time_out(connection, approval, files, allows=bool(settings.approval_timeout_allows))
                continue
            wakeup.wait(min(remaining, _LOOK_SECONDS))
            notice.look()
    finally:
        wakeup.close()


def _token(connection: apsw.Connection, settings: SessionSettings, approval: Approval) -> str | None:
    """For the user's command: it descends from a session that may not answer, and may answer all the same."""
    if settings.on_approval is None or settings.launched_within is not None:
        return None
    from hldctl.store import command_tokens

    return command_tokens.issue(connection, approval.session_id)


def _is_allowed_by_now(connection: apsw.Connection, approval: Approval, files: SessionFiles) -> bool:
    """Whether a rule that was set while the request waited allows it; it is answered then."""
    settings = approvals.settings(connection, approval.session_id)
    request = permission_hook.Request(approval.tool_name, json.loads(approval.tool_input), approval.suggested_rule)
    home = str(files.directory.parent.parent)
    if settings is None or (rule := rule_for(connection, approval.session_id, settings, request, now(), home)) is None:
        return False
    _resolve(connection, approval, files, ApprovalStatus.APPROVED, permission_hook.allowance(), rule)
    return True


def _told(approval: Approval) -> dict[str, Any]:
    if approval.answer is None:
        # The result of the call proves it, so that this answer comes too late to count.
        return permission_hook.denial("Another hook decided about this call.")
    decision: dict[str, Any] = json.loads(approval.answer)
    return decision


def _time_out(connection: apsw.Connection, approval: Approval, files: SessionFiles, *, allows: bool) -> None:
    decision = permission_hook.allowance() if allows else permission_hook.denial(_UNANSWERED)
    status = ApprovalStatus.APPROVED if allows else ApprovalStatus.DENIED
    comment = f"{'allowed' if allows else 'denied'} by --approval-timeout"
    _resolve(connection, approval, files, status, decision, comment)


def _resolve(
    connection: apsw.Connection,
    approval: Approval,
    files: SessionFiles,
    status: ApprovalStatus,
    decision: dict[str, Any],
    rule: str,
) -> None:
    """By a rule; whoever has answered meanwhile has answered."""
    with connection:
        approvals.resolve(
            connection,
            approval.id,
            status,
            now=now(),
            answered_by="a rule",
            answer=json.dumps(decision),
            comment=rule,
        )
    _tell(files)


def _expire(connection: apsw.Connection, approval: Approval, files: SessionFiles, why: str) -> dict[str, Any]:
    """Unless it has been answered at the last moment; what is recorded and what is said agree."""
    with connection:
        approvals.resolve(
            connection, approval.id, ApprovalStatus.EXPIRED, now=now(), answered_by="Claude Code", comment=why
        )
        current = approvals.get(connection, approval.id)
    _tell(files)
    if current is not None and current.answer is not None:
        return _told(current)
    return permission_hook.denial("The permission request has expired.")


def _tell(files: SessionFiles) -> None:
    """Followers of the conversation, and the supervisor, which looks after this process from now on."""
    touch(files.change_signal)
    touch(files.wake_signal)


def _terminate(number: int, frame: FrameType | None) -> None:
    # Once: what is to be written down for it must not be interrupted in turn.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Terminated
