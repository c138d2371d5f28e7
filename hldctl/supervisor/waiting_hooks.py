"""The hooks that wait for an answer: waking them, and what they asked once they are gone."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.host.clock import now
from hldctl.host.paths import StateDirectory, touch
from hldctl.host.processes import ProcessIdentity, is_running
from hldctl.states import ApprovalStatus
from hldctl.store import approvals
from hldctl.store.approvals import Approval
from hldctl.store.models import database


def wake_hooks(state: StateDirectory, session_id: str) -> None:
    """After a change of what is allowed: what waits may be allowed by now."""
    for approval in approvals.pending(database.connection(), session_id):
        touch(state.session(session_id).answer(approval.id))


def waiting_hooks(session_id: str) -> list[ProcessIdentity]:
    return [_hook(approval) for approval in approvals.pending(database.connection(), session_id)]


def expire_unheard(session_id: str | None = None) -> Sequence[str]:
    """Of one session, or of all; returns the sessions in which something expired."""
    unheard = [
        approval for approval in approvals.pending(database.connection(), session_id) if not is_running(_hook(approval))
    ]
    for approval in unheard:
        with database.atomic("IMMEDIATE"):
            approvals.resolve(
                database.connection(),
                approval.id,
                ApprovalStatus.EXPIRED,
                now=now(),
                answered_by="hldctl",
                comment="the process that asked is gone",
            )
    return [approval.session_id for approval in unheard]


def _hook(approval: Approval) -> ProcessIdentity:
    return ProcessIdentity(approval.hook_pid, approval.boot_id, approval.hook_started)
