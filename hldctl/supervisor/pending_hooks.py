"""The hooks that wait for an answer: waking them, and what they asked once they are gone."""

from __future__ import annotations

import os

from hldctl.paths import StateDirectory, touch
from hldctl.states import ApprovalStatus
from hldctl.store import approvals, sessions
from hldctl.store.approvals import Approval
from hldctl.store.connection import current, transaction
from hldctl.supervisor import other_namespaces
from hldctl.system.clock import now
from hldctl.system.processes import ProcessIdentity, is_of_another_namespace, is_running, recorded, scope


def wake_hooks(state: StateDirectory, session_id: str) -> None:
    """After a change of what is allowed: what waits may be allowed by now."""
    for approval in approvals.pending(current(), session_id):
        touch(state.session(session_id).answer(approval.id))


def waiting_hooks(session_id: str) -> dict[str, ProcessIdentity]:
    """Return the processes that wait, by the request of each, whose pids mean something here.

    A Claude Code may run in a PID namespace of its own.
    """
    pending = approvals.pending(current(), session_id)
    return {approval.id: _hook(approval) for approval in pending if not is_of_another_namespace(approval.boot_id)}


def expire_unheard(state: StateDirectory, session_id: str | None = None) -> None:
    """Of one session, or of all of this machine: what another's hooks do is not to be seen from here."""
    for approval in approvals.pending(current(), session_id):
        if not is_running(_hook(approval)) and (_was_asked_here(approval) or _is_over_elsewhere(state, approval)):
            with transaction():
                approvals.resolve(
                    current(),
                    approval.id,
                    ApprovalStatus.EXPIRED,
                    now=now(),
                    answered_by="hldctl",
                    comment="the process that asked is gone",
                )
            files = state.session(approval.session_id)
            touch(files.answer(approval.id))
            touch(files.change_signal)


def _was_asked_here(approval: Approval) -> bool:
    """By the boot, or for what was asked before a reboot by the machine's name."""
    if approval.boot_id == scope():
        return True
    if is_of_another_namespace(approval.boot_id):
        return False
    session = sessions.get(approval.session_id)
    return session is not None and session.host == os.uname().nodename


def _is_over_elsewhere(state: StateDirectory, approval: Approval) -> bool:
    """Whether the session that asked is of another PID namespace, and nothing of it runs there."""
    if not is_of_another_namespace(approval.boot_id):
        return False
    session = sessions.get(approval.session_id)
    return session is not None and other_namespaces.is_over(session, state.session(session.id))


def _hook(approval: Approval) -> ProcessIdentity:
    return recorded(approval.hook_pid, approval.boot_id, approval.hook_started)
