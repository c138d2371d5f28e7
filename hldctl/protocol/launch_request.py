"""The request that `launch` sends to a new supervisor through a pipe, because it holds secrets and can be long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from hldctl.claude.settings import ClaudeSettings
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy
from hldctl.states import IfOverBudget, IfRunning


def needs_hook(permissions: Permissions, settings: ClaudeSettings) -> bool:
    """Return whether Claude Code shall ask hldctl for permission; a `permission_prompt_tool` replaces hldctl."""
    rules = permissions.auto_accept_edits or permissions.dangerously_skip_permissions
    return (permissions.approvals or rules) and settings.permission_prompt_tool is None


@dataclass(frozen=True)
class LaunchRequest:
    """A session to be launched."""

    session_id: str
    run_id: str
    query: str
    summary: str
    claude_path: str
    umask: int
    """The launcher's umask, for Claude Code; hldctl's own files are always private."""
    settings: ClaudeSettings
    title: str | None = None
    parent_session_id: str | None = None
    resume: str | None = None
    """The id of the Claude session to continue."""
    permissions: Permissions = field(default_factory=Permissions)
    run_policy: RunPolicy = field(default_factory=RunPolicy)
    name: str | None = None
    if_running: IfRunning = IfRunning.FAIL
    after: list[dict[str, str]] | None = None
    """The predecessors, as the column `after` has them."""
    references: dict[str, str] = field(default_factory=dict)
    """The ids of the predecessors that the query refers to, by reference."""
    continues_predecessor: bool = False
    """True if the conversation to continue is that of a predecessor, and will be known when that has ended."""
    if_over_budget: IfOverBudget = IfOverBudget.QUEUE
    worktree: dict[str, Any] | None = None
    """The worktree that was made for it, or that it shares with its parent; see `worktrees.record`."""
    rehearsal: str | None = None
    """The script that replaces the model."""
    account: str | None = None
    """The account that pays for it; see `claude.account`."""
    is_attended: bool = False
    """True if somebody waits for its start or end."""
    chosen: list[str] = field(default_factory=list)
    """The names of the options that were asked for, on the command line, by a profile or by the project."""
    requested_at: int = 0
    """When the launching command began, in milliseconds since 1970."""
    marker: str | None = None
    """The session that the launching command says it runs in; None for none."""
    is_users_command: bool = False
    """True if a command of the user that hldctl runs for a session launches it: nobody but the user does, then."""
    launchers: list[str] | None = None
    """The sessions that it is launched within, as the column has them; the supervisor finds them."""
    launched_within: str | None = None
    """As the column has it: for a continuation at first that of its parent; the supervisor finds the launcher's."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """The launcher's environment."""

    @property
    def launched_by(self) -> str | None:
        """The session whose command launches it."""
        return self.launchers[-1] if self.launchers else None

    @property
    def has_hook(self) -> bool:
        """True if Claude Code gets the permission hook."""
        return needs_hook(self.permissions, self.settings)

    @property
    def is_needed_later(self) -> bool:
        """True if the request is still needed when Claude Code runs."""
        policy = self.run_policy
        commands = (policy.on_end, policy.check_command)
        return policy.retries > 0 or policy.wait_for_reset or any(command is not None for command in commands)

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> LaunchRequest:
        values = json.loads(data)
        parsed = {
            "settings": ClaudeSettings.from_values(values["settings"]),
            "permissions": Permissions(**values["permissions"]),
            "run_policy": RunPolicy(**values["run_policy"]),
            "if_running": IfRunning(values["if_running"]),
            "if_over_budget": IfOverBudget(values["if_over_budget"]),
        }
        return cls(**(values | parsed))


def name_taken_message(name: str | None, running: str) -> str:
    """Return the error message for a name that the session `running` has already."""
    return (
        f"A session named {name} is already running: {running}. "
        "Use --if-running skip, queue or replace to choose what happens."
    )
