"""The hooks that wait for an answer: waking them, and what they asked once they are gone."""

from __future__ import annotations

import os

from hldctl.host.clock import now
from hldctl.host.paths import StateDirectory, touch
from hldctl.host.processes import ProcessIdentity, boot_id, is_running
from hldctl.states import ApprovalStatus
from hldctl.store import approvals, sessions
from hldctl.store.approvals import Approval
from hldctl.store.connection import current, transaction


def wake_hooks(state: StateDirectory, session_id: str) -> None:
    """After a change of what is allowed: what waits may be allowed by now."""
    for approval in approvals.pending(current(), session_id):
        touch(state.session(session_id).answer(approval.id))


def waiting_hooks(session_id: str) -> dict[str, ProcessIdentity]:
    """The processes that wait, by the request that each has made."""
    return {approval.id: _hook(approval) for approval in approvals.pending(current(), session_id)}


def expire_unheard(state: StateDirectory, session_id: str | None = None) -> None:
    """Of one session, or of all of this machine: what another's hooks do is not to be seen from here."""
    for approval in approvals.pending(current(), session_id):
        if not is_running(_hook(approval)) and _was_asked_here(approval):
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
            touch(files.changed)


def _was_asked_here(approval: Approval) -> bool:
    """By the boot, or for what was asked before a reboot by the machine's name."""
    if approval.boot_id == boot_id():
        return True
    session = sessions.get(approval.session_id)
    return session is not None and session.host == os.uname().nodename


def _hook(approval: Approval) -> ProcessIdentity:
    return ProcessIdentity(approval.hook_pid, approval.boot_id, approval.hook_started)
