"""The sessions that will work in the same directory as a new one, at the same time."""

from __future__ import annotations

from hldctl.claude.command_line import has_worktree_option
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.store import sessions
from hldctl.store.session import Session
from hldctl.system.processes import is_running, recorded_identity


def sessions_beside(request: LaunchRequest) -> list[str]:
    """Return the ids of the sessions that share the directory of a new one."""
    if has_worktree_option(request.settings.extra_arguments):
        return []
    others = sessions.live_in_directory(request.settings.working_dir, exclude=request.session_id)
    return [other.id for other in others if not _is_apart(other, request.name)]


def _is_apart(other: Session, name: str | None) -> bool:
    """Return whether a session works elsewhere, or has ended before the new one begins."""
    # A new session of the same name waits for the other one.
    if has_worktree_option(other.extra_arguments) or (name is not None and other.name == name):
        return True
    # The end of Claude Code may not be recorded yet. Without a process, it is about to start one.
    return other.pid is not None and not is_running(recorded_identity(other.pid, other.boot_id, other.pid_started or 0))
