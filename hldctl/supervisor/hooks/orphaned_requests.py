"""Requests for permission whose hook is gone without an answer: Claude Code would wait for ever."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from hldctl.claude import input_messages, permission_hook
from hldctl.states import ApprovalStatus
from hldctl.store import approvals
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.supervisor.claude_process import ClaudeProcess
from hldctl.supervisor.hooks.pending_hooks import is_waiting
from hldctl.supervisor.termination import descendants
from hldctl.system.clock import current_time_ms

# Claude Code starts the hook when it makes the request.
_START_SECONDS = 3.0
# A hook that answers exits before Claude Code reads the answer.
_ANSWERED_MS = 1_000
_GONE = "hldctl's permission hook gave no answer. Ask the user to run `hldctl doctor`."
_HOOK_ARGUMENT = "permission_hook"


class OrphanedRequests:
    """The requests of one session that Claude Code makes both to the hook and on its output, where nobody answers."""

    def __init__(self, session_id: str, process: ClaudeProcess) -> None:
        self._session_id = session_id
        self._process = process
        self._answered: set[str] = set()
        # When requests were first seen, on the monotonic clock.
        self._seen_at: dict[str, float] = {}
        self.is_checking = False
        """True if a request may turn out to have no hook: look again soon."""

    def answer_lines(self, asked: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the line that answers each request without a hook, once; with the recorded answer if there is one.

        `asked` maps the id of each request that waits to its tool call.
        """
        self._answered &= asked.keys()
        self._seen_at = {request_id: self._seen_at.get(request_id, time.monotonic()) for request_id in asked}
        self.is_checking = False
        for request_id in asked.keys() - self._answered:
            approval = approvals.call_approval(current_connection(), self._session_id, asked[request_id])
            if approval is not None and approval.status == ApprovalStatus.PENDING:
                continue
            if self._has_no_hook(request_id) if approval is None else _is_orphaned(approval):
                self._answered.add(request_id)
                tool_input = {} if approval is None else json.loads(approval.tool_input)
                yield input_messages.decision_line(request_id, _decision(approval), tool_input)
            else:
                self.is_checking = True

    def _has_no_hook(self, request_id: str) -> bool:
        """Return whether no hook has been started for a request that is not recorded, as with `disableAllHooks`."""
        if time.monotonic() - self._seen_at[request_id] < _START_SECONDS:
            return False
        # Imported here: a supervisor needs it for such requests only.
        import psutil

        for pid in descendants(self._process, self._session_id):
            with contextlib.suppress(psutil.Error):
                if any(_HOOK_ARGUMENT in argument for argument in psutil.Process(pid).cmdline()):
                    return False
        return True


def _is_orphaned(approval: Approval) -> bool:
    if approval.status == ApprovalStatus.EXPIRED:
        return True
    waited_ms = current_time_ms() - (approval.responded_at or approval.created_at)
    return waited_ms > _ANSWERED_MS and not is_waiting(approval)


def _decision(approval: Approval | None) -> dict[str, Any]:
    if approval is None or approval.answer is None:
        return permission_hook.denial(_GONE)
    decision: dict[str, Any] = json.loads(approval.answer)
    return decision
