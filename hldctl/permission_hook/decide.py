"""Decision on a permission request by the session's rules."""

from __future__ import annotations

import json
import os
import time
from typing import Any, NamedTuple

import apsw

from hldctl.claude import permission_hook
from hldctl.claude.permission_hook import Request
from hldctl.claude.tools import EDITING_TOOLS
from hldctl.states import ASKING_TOOLS, ENDED, ApprovalKind, ApprovalStatus, FeedType
from hldctl.store import approvals, feed_writer
from hldctl.store.approvals import Approval, SessionSettings

SESSION_ENDED = "The session has ended; permission requests are no longer answered."
_BUSY_MILLISECONDS = 30_000

Decision = dict[str, Any]


class Undecided(NamedTuple):
    """A request that no rule decides, so that a user has to answer it."""

    connection: apsw.Connection
    approval: Approval
    settings: SessionSettings


def decide(request: Request, session_id: str, home: str) -> Decision | Undecided | None:
    """Return the decision by the session's rules; None leaves the decision to Claude Code.

    Raise apsw.Error if the database cannot be used. `home` is the state directory.
    """
    if not session_id or not home:
        return permission_hook.denial("This hook belongs to hldctl, but was run outside an hldctl session.")
    connection = open_database(os.path.join(home, "hldctl.db"))
    settings = approvals.settings(connection, session_id)
    if settings is None:
        return permission_hook.denial(f"hldctl has no session {session_id}, so it cannot ask for permission.")
    if settings.status in ENDED:
        return permission_hook.denial(SESSION_ENDED)
    now = time.time_ns() // 1_000_000
    if (rule := matching_rule(connection, session_id, settings, request, now, home)) is not None:
        approval = _pending_approval(request, session_id, settings, now)._replace(
            status=str(ApprovalStatus.APPROVED), comment=rule, answered_by="a rule", responded_at=now
        )
        with connection:
            is_recorded = approvals.record_request(connection, approval, settings.working_dir)
        _signal_change(home, session_id)
        if not is_recorded:
            return permission_hook.denial(SESSION_ENDED)
        return permission_hook.call_allowance(request.tool_name, request.tool_input)
    if not settings.approvals:
        return None
    return Undecided(connection, _pending_approval(request, session_id, settings, now), settings)


def open_database(path: str) -> apsw.Connection:
    """Return a connection to the database at this path.

    Raise PermissionError if it belongs to another user: its rows contain rules, and commands that are run.
    """
    for checked_path in (path.rpartition("/")[0], path):
        if os.stat(checked_path).st_uid != os.geteuid():
            raise PermissionError(f"{checked_path} belongs to another user")
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    # A deferred transaction that reads first and then writes would fail instead of waiting for the lock.
    connection.transaction_mode = "IMMEDIATE"
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = 1")
    return connection


def matching_rule(
    connection: apsw.Connection, session_id: str, settings: SessionSettings, request: Request, now: int, home: str
) -> str | None:
    """Return a description of the rule that allows the call now; None if a user has to decide, as about a question.

    `now` is in milliseconds since 1970, `home` is the state directory.
    """
    if ASKING_TOOLS.get(request.tool_name) is ApprovalKind.QUESTION:
        return None
    if settings.dangerously_skip_permissions:
        expires_at = settings.dangerously_skip_permissions_expires_at
        if expires_at is None or now < expires_at:
            return "allowed by dangerously_skip_permissions"
        _end_skipping(connection, session_id, settings.run_id, now)
    area = None
    if request.tool_name in EDITING_TOOLS:
        # Imported late, with their dependencies: most calls are not edits.
        from hldctl.claude import edit_rules
        from hldctl.permission_hook.edit_area import session_area as area_of

        area = area_of(settings, home)
        if settings.auto_accept_edits and edit_rules.is_accepted(request.tool_name, request.tool_input, area):
            return "allowed by auto_accept_edits"
    for rule in map(permission_hook.Rule._make, approvals.rules(connection, session_id)):
        if permission_hook.is_allowed(rule, request.tool_name, request.tool_input, area):
            return f"allowed always: {rule}"
    return None


def _end_skipping(connection: apsw.Connection, session_id: str, run_id: str, now: int) -> None:
    """Switch off `dangerously_skip_permissions` in the database after its time has expired."""
    changes = {"dangerously_skip_permissions": False, "dangerously_skip_permissions_expires_at": None}
    with connection:
        connection.execute(
            "UPDATE sessions SET dangerously_skip_permissions = 0, dangerously_skip_permissions_expires_at = NULL"
            " WHERE id = ? AND dangerously_skip_permissions_expires_at <= ?",
            (session_id, now),
        )
        if connection.changes():
            feed_writer.publish(connection, [(FeedType.SESSION_SETTINGS_CHANGED, session_id, run_id, now, changes)])


def _pending_approval(request: Request, session_id: str, settings: SessionSettings, now: int) -> Approval:
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


def _signal_change(home: str, session_id: str) -> None:
    try:
        time_ns = time.time_ns()
        os.utime(os.path.join(home, "sessions", session_id, "changed.signal"), ns=(time_ns, time_ns))
    except OSError:
        # Without the signal a follower sees the change a second later.
        return
