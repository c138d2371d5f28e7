"""Permission hooks that wait for an answer: wake them, and expire the requests of those that are gone."""

from __future__ import annotations

import os

from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.states import ApprovalStatus
from hldctl.store import approvals, sessions
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection, transaction
from hldctl.supervisor.processes import other_namespaces
from hldctl.system.clock import current_time_ms
from hldctl.system.processes import ProcessIdentity, is_in_another_namespace, is_running, pid_scope, recorded_identity


def wake_hooks(state: StateDirectory, session_id: str) -> None:
    """Wake the session's waiting hooks after a change of its permissions: their requests may be allowed now."""
    for approval in approvals.pending_approvals(current_connection(), session_id):
        touch(state.session(session_id).answer_signal(approval.id))


def waiting_hooks(session_id: str) -> dict[str, ProcessIdentity]:
    """Return the waiting processes by request id, except in other PID namespaces, whose pids mean nothing here."""
    pending = approvals.pending_approvals(current_connection(), session_id)
    return {
        approval.id: _hook_identity(approval) for approval in pending if not is_in_another_namespace(approval.boot_id)
    }


def is_waiting(approval: Approval) -> bool:
    """Return whether the process that asked is running, or cannot be seen from here."""
    return is_in_another_namespace(approval.boot_id) or is_running(_hook_identity(approval))


def expire_abandoned(state: StateDirectory, session_id: str | None = None) -> None:
    """Expire the requests of dead hooks, in one session or in all of this machine; hooks elsewhere cannot be seen."""
    for approval in approvals.pending_approvals(current_connection(), session_id):
        if not is_running(_hook_identity(approval)) and (
            _is_from_this_machine(approval) or _has_ended_elsewhere(state, approval)
        ):
            with transaction():
                approvals.resolve(
                    current_connection(),
                    approval.id,
                    ApprovalStatus.EXPIRED,
                    now=current_time_ms(),
                    answered_by="hldctl",
                    comment="the process that asked is gone",
                )
            files = state.session(approval.session_id)
            touch(files.answer_signal(approval.id))
            touch(files.change_signal)


def _is_from_this_machine(approval: Approval) -> bool:
    """Return whether a request is from this machine: by the boot id, or by the host name if from before a reboot."""
    if approval.boot_id == pid_scope():
        return True
    if is_in_another_namespace(approval.boot_id):
        return False
    session = sessions.get(approval.session_id)
    return session is not None and session.host == os.uname().nodename


def _has_ended_elsewhere(state: StateDirectory, approval: Approval) -> bool:
    """Return whether the request's session is of another PID namespace, and none of its processes runs there."""
    if not is_in_another_namespace(approval.boot_id):
        return False
    session = sessions.get(approval.session_id)
    return session is not None and other_namespaces.is_over(session, state.session(session.id))


def _hook_identity(approval: Approval) -> ProcessIdentity:
    return recorded_identity(approval.hook_pid, approval.boot_id, approval.hook_started)
