"""What a permission request is answered: by a rule at once, or by whoever answers it."""

from __future__ import annotations

import json
import os
import time
from typing import Any, NamedTuple

import apsw

from hldctl.claude import permission_hook
from hldctl.claude.permission_hook import Request
from hldctl.claude.tools import EDITING_TOOLS
from hldctl.states import ENDED, ApprovalStatus, FeedType
from hldctl.store import approvals, feed_writer
from hldctl.store.approvals import Approval, SessionSettings

ENDED_MEANWHILE = "The session has ended; nobody answers permission requests any more."
_BUSY_MILLISECONDS = 30_000

Decision = dict[str, Any]


class Undecided(NamedTuple):
    """A request that no rule decides and that somebody has to answer."""

    connection: apsw.Connection
    approval: Approval
    settings: SessionSettings


def decide(request: Request, session_id: str, home: str) -> Decision | Undecided | None:
    """Decide by the session's rules; None leaves the decision to Claude Code.

    Raises apsw.Error where the database cannot be used.
    """
    if not session_id or not home:
        return permission_hook.denial("This hook of hldctl was run outside of one of its sessions.")
    connection = opened(os.path.join(home, "hldctl.db"))
    settings = approvals.settings(connection, session_id)
    if settings is None:
        return permission_hook.denial(f"hldctl knows no session {session_id}, so nobody can be asked for permission.")
    if settings.status in ENDED:
        return permission_hook.denial(ENDED_MEANWHILE)
    now = time.time_ns() // 1_000_000
    if (rule := rule_for(connection, session_id, settings, request, now, home)) is not None:
        approval = _row(request, session_id, settings, now)._replace(
            status=str(ApprovalStatus.APPROVED), comment=rule, answered_by="a rule", responded_at=now
        )
        with connection:
            is_recorded = approvals.ask(connection, approval, settings.working_dir)
        _wake(home, session_id)
        return permission_hook.allowance() if is_recorded else permission_hook.denial(ENDED_MEANWHILE)
    if not settings.approvals:
        return None
    return Undecided(connection, _row(request, session_id, settings, now), settings)


def opened(path: str) -> apsw.Connection:
    """Raises PermissionError for another user's database: its rows hold rules, and commands that are run."""
    for own in (path.rpartition("/")[0], path):
        if os.stat(own).st_uid != os.geteuid():
            raise PermissionError(f"{own} belongs to another user")
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    # A transaction that begins with a read and then writes fails where it should wait.
    connection.transaction_mode = "IMMEDIATE"
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = 1")
    return connection


def rule_for(
    connection: apsw.Connection, session_id: str, settings: SessionSettings, request: Request, now: int, home: str
) -> str | None:
    """The rule that allows the call at this moment, in words; None if somebody has to be asked.

    `home` is the state directory.
    """
    if settings.dangerously_skip_permissions:
        expires_at = settings.dangerously_skip_permissions_expires_at
        if expires_at is None or now < expires_at:
            return "allowed by dangerously_skip_permissions"
        _end_skipping(connection, session_id, settings.run_id, now)
    area = None
    if request.tool_name in EDITING_TOOLS:
        # Only here, with what they import: most calls edit nothing.
        from hldctl.claude import edit_rules
        from hldctl.permission_hook.edit_area import area as area_of

        area = area_of(settings, home)
        if settings.auto_accept_edits and edit_rules.is_accepted(request.tool_name, request.tool_input, area):
            return "allowed by auto_accept_edits"
    for rule in map(permission_hook.Rule._make, approvals.rules(connection, session_id)):
        if permission_hook.is_allowed(rule, request.tool_name, request.tool_input, area):
            return f"allowed always: {rule}"
    return None


def _end_skipping(connection: apsw.Connection, session_id: str, run_id: str, now: int) -> None:
    """Its time is over: from here on everybody sees so."""
    over = {"dangerously_skip_permissions": False, "dangerously_skip_permissions_expires_at": None}
    with connection:
        connection.execute(
            "UPDATE sessions SET dangerously_skip_permissions = 0, dangerously_skip_permissions_expires_at = NULL"
            " WHERE id = ? AND dangerously_skip_permissions_expires_at <= ?",
            (session_id, now),
        )
        if connection.changes():
            feed_writer.publish(connection, [(FeedType.SESSION_SETTINGS_CHANGED, session_id, run_id, now, over)])


def _row(request: Request, session_id: str, settings: SessionSettings, now: int) -> Approval:
    return Approval(
        id=os.urandom(8).hex(),
        session_id=session_id,
        run_id=settings.run_id,
        tool_use_id=None,
        tool_name=request.tool_name,
        tool_input=json.dumps(request.tool_input, ensure_ascii=False),
        suggested_rule=request.suggested_rule,
        status=str(ApprovalStatus.PENDING),
        comment=None,
        answer=None,
        answered_by=None,
        created_at=now,
        responded_at=None,
        hook_pid=0,
        hook_started=0,
        boot_id="",
    )


def _wake(home: str, session_id: str) -> None:
    try:
        moment = time.time_ns()
        os.utime(os.path.join(home, "sessions", session_id, "changed.signal"), ns=(moment, moment))
    except OSError:
        # A follower sees it a second later.
        return
