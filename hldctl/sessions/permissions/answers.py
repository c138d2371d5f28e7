"""Listing, following and answering permission requests."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hldctl.claude import permission_hook, questions
from hldctl.claude.permission_hook import Rule
from hldctl.claude.tools import EDITING_TOOLS
from hldctl.errors import BadUsage, NoSuchSession, WrongState
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.sessions import lookup, supervisors
from hldctl.sessions.permissions import caller, requests
from hldctl.sessions.permissions.changes import approval_changes
from hldctl.sessions.supervisors import POLL_SECONDS
from hldctl.states import ApprovalKind, ApprovalStatus
from hldctl.store import approvals
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection, transaction
from hldctl.store.database import UNWRITABLE, files_to_watch, open_database, open_for_reading, refresh
from hldctl.supervisor.hooks.pending_hooks import expire_abandoned, wake_hooks
from hldctl.system.clock import current_time_ms, format_local_time
from hldctl.system.watcher import Wakeup

MAX_LISTED = 200
"""The maximum number of requests in a list of all sessions that includes answered ones."""


@dataclass(frozen=True)
class Decision:
    """The answer to a permission request."""

    allows: bool
    comment: str | None = None
    """A comment for the record; for a denial, also the message to the model."""
    updated_input: dict[str, Any] | None = None
    always: bool = False
    """True to allow similar requests for the rest of the session."""
    interrupts: bool = False

    @property
    def status(self) -> ApprovalStatus:
        return ApprovalStatus.APPROVED if self.allows else ApprovalStatus.DENIED

    def hook_output(self, approval: Approval) -> dict[str, Any]:
        """Return the decision about this request for Claude Code."""
        if self.allows:
            return permission_hook.call_allowance(
                approval.tool_name, json.loads(approval.tool_input), self.updated_input
            )
        return permission_hook.denial(self.comment or "The user denied this.", interrupt=self.interrupts)


def list_requests(state: StateDirectory, ids: Sequence[str] = (), *, answered_too: bool = False) -> list[Approval]:
    """Return the pending requests of these sessions, or of all; with `answered_too`, answered ones as well."""
    with open_for_reading(state):
        supervisors.adopt_all_lost(state)
        # If expired requests cannot be recorded, the recorded ones are returned nevertheless.
        with suppress(*UNWRITABLE):
            expire_abandoned(state)
        connection = current_connection()
        if not answered_too:
            return [
                approval
                for approval in approvals.pending_approvals(connection)
                if not ids or approval.session_id in ids
            ]
        if not ids:
            return approvals.newest_approvals(connection, MAX_LISTED)
        return [approval for session_id in ids for approval in approvals.session_approvals(connection, session_id)]


def follow_requests(
    state: StateDirectory, ids: Sequence[str], *, after: int, seen: Collection[tuple[str, str]] = ()
) -> Iterator[Approval]:
    """Yield the pending requests, then each request when it is made and when it is resolved, forever.

    `after` is the id of the newest event of the feed when the following started, and `seen` has the id and status of
    the requests that were yielded since.
    """
    with open_for_reading(state):
        wakeup = Wakeup(files_to_watch(state))
        try:
            reached, yielded = after, set(seen)
            for approval in approvals.pending_approvals(current_connection()):
                if _is_in_sessions(approval, ids) and (approval.id, approval.status) not in yielded:
                    yielded.add((approval.id, approval.status))
                    yield approval
            while True:
                for change in approval_changes(reached):
                    reached = change.feed_id
                    approval = change.approval
                    if _is_in_sessions(approval, ids) and (approval.id, approval.status) not in yielded:
                        yield approval
                supervisors.adopt_all_lost(state)
                wakeup.wait(POLL_SECONDS)
                refresh(state)
        finally:
            wakeup.close()


def _is_in_sessions(approval: Approval, ids: Sequence[str]) -> bool:
    return not ids or approval.session_id in ids


def require_right_to_answer(state: StateDirectory) -> None:
    """Raise WrongState if the command is run from within a session that may not answer."""
    caller.require_right(state, "Answering a permission request")


def answer_request(state: StateDirectory, prefix: str, decision: Decision, command: str) -> Approval:
    """Answer a request and return it. `command` is the hldctl command that answers, for the record.

    Raise WrongState if the request has been answered already, if its hook no longer waits, or if the command is run
    from within a session that may not answer; BadUsage if it is a question, and the decision allows it unanswered.
    """
    with open_database(state):
        approval = find_pending(state, prefix)
        if not _fits(decision, approval):
            raise BadUsage(
                f"The request {approval.id} is a question; answer it with `hldctl answer {approval.id[:8]} CHOICE`."
            )
        return _answer(state, approval, decision, caller.answer_origin(state, command))


def find_pending(state: StateDirectory, prefix: str) -> Approval:
    """Return a request to be answered. The database must be open.

    Raise WrongState if it has been answered already, or if the command is run from within a session that may not
    answer.
    """
    require_right_to_answer(state)
    approval = _find(prefix)
    expire_abandoned(state, approval.session_id)
    current = _find(approval.id)
    if current.status != ApprovalStatus.PENDING:
        raise _already_answered_error(current)
    return current


def _fits(decision: Decision, approval: Approval) -> bool:
    """Return whether the decision answers the request: a question cannot be allowed, only answered or denied."""
    is_answered = questions.answers_in(decision.updated_input) is not None
    return approval.kind is not ApprovalKind.QUESTION or not decision.allows or is_answered


def answer_all(
    state: StateDirectory, decision: Decision, command: str, *, session: str | None, tool_name: str | None
) -> list[Approval]:
    """Answer all pending requests of that session and tool.

    Skip those that are answered elsewhere in the meantime, and questions, unless they are denied.
    """
    with open_database(state):
        require_right_to_answer(state)
        session_id = None if session is None else lookup.find_session(session).id
        expire_abandoned(state, session_id)
        origin = caller.answer_origin(state, command)
        answered = []
        for approval in approvals.pending_approvals(current_connection(), session_id):
            is_meant = tool_name in (None, approval.tool_name) and _fits(decision, approval)
            if is_meant and _resolve(state, approval, decision, origin):
                answered.append(_find(approval.id))
        return answered


def pending_questions(state: StateDirectory, session: str | None) -> list[Approval]:
    """Return the questions that wait for an answer, of that session or of all."""
    with open_database(state):
        session_id = None if session is None else lookup.find_session(session).id
        pending = approvals.pending_approvals(current_connection(), session_id)
    return [approval for approval in pending if approval.kind is ApprovalKind.QUESTION]


def lasting_rule(state: StateDirectory, approval: Approval) -> Rule:
    """Return the rule that `--always` makes of this request; `Rule.words()` describes it."""
    area = None
    if approval.tool_name in EDITING_TOOLS:
        from hldctl.permission_hook.edit_area import session_area as edit_area

        with open_database(state):
            settings = approvals.settings(current_connection(), approval.session_id)
        area = None if settings is None else edit_area(settings, str(state.root))
    tool_input = json.loads(approval.tool_input)
    return permission_hook.lasting_rule(approval.tool_name, tool_input, approval.suggested_rule, area)


def _answer(state: StateDirectory, approval: Approval, decision: Decision, origin: dict[str, Any]) -> Approval:
    if not _resolve(state, approval, decision, origin):
        raise _already_answered_error(_find(approval.id))
    return _find(approval.id)


def _resolve(state: StateDirectory, approval: Approval, decision: Decision, origin: dict[str, Any]) -> bool:
    files = state.session(approval.session_id)
    files.require_own_directory()
    with transaction():
        is_first = approvals.resolve(
            current_connection(),
            approval.id,
            decision.status,
            now=current_time_ms(),
            answered_by=caller.answerer_name(state),
            answered_from=json.dumps(origin),
            answer=json.dumps(decision.hook_output(approval)),
            comment=decision.comment,
        )
        if is_first and decision.allows and decision.always:
            approvals.add_rule(current_connection(), approval.session_id, lasting_rule(state, approval))
    if is_first:
        if decision.always:
            wake_hooks(state, approval.session_id)
        for path in (files.answer_signal(approval.id), files.change_signal, files.wake_signal):
            touch(path)
    return is_first


def _already_answered_error(approval: Approval) -> WrongState:
    when = format_local_time(approval.responded_at or approval.created_at)
    if approval.status == ApprovalStatus.EXPIRED:
        return WrongState(f"The request {approval.id} expired at {when}: {approval.comment}.")
    is_answered = approval.kind is ApprovalKind.QUESTION and approval.status == ApprovalStatus.APPROVED
    how = "answered" if is_answered else approval.status
    return WrongState(f"The request {approval.id} was {how} by {approval.answered_by} at {when}.")


def _find(prefix: str) -> Approval:
    ids = requests.request_ids_with_prefix(prefix)
    if len(ids) > 1:
        raise NoSuchSession(f"{prefix!r} is ambiguous: it matches {', '.join(ids)}.")
    approval = approvals.get(current_connection(), ids[0]) if ids else None
    if approval is None:
        raise NoSuchSession(
            f"No permission request {prefix!r}; `hldctl approvals` lists the pending ones, and --session answers the "
            "only one of a session."
        )
    return approval
