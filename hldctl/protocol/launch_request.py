"""What `launch` hands to the supervisor that it starts: by a pipe, since it holds secrets and can be long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from hldctl.claude.settings import ClaudeSettings
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy
from hldctl.states import IfRunning


def asks_by_hook(permissions: Permissions, settings: ClaudeSettings) -> bool:
    """Whether Claude Code is to ask hldctl; a tool of the user's that answers takes its place."""
    rules = permissions.auto_accept_edits or permissions.dangerously_skip_permissions
    return (permissions.approvals or rules) and settings.permission_prompt_tool is None


@dataclass(frozen=True)
class LaunchRequest:
    session_id: str
    run_id: str
    query: str
    summary: str
    claude_path: str
    umask: int
    """The launcher's, for Claude Code: hldctl's own files are private whatever it is."""
    settings: ClaudeSettings
    title: str | None = None
    parent_session_id: str | None = None
    resume: str | None = None
    """The Claude session to take up."""
    permissions: Permissions = field(default_factory=Permissions)
    run_policy: RunPolicy = field(default_factory=RunPolicy)
    name: str | None = None
    if_running: IfRunning = IfRunning.FAIL
    rehearsal: str | None = None
    """The script that is played to Claude Code in place of a model."""
    launched_within: str | None = None
    """The session without the right to answer that launches it with commands of its own choice."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """The launcher's."""

    @property
    def is_hooked(self) -> bool:
        return asks_by_hook(self.permissions, self.settings)

    @property
    def is_needed_later(self) -> bool:
        """Whether it is also when Claude Code runs."""
        return self.run_policy.retries > 0 or self.run_policy.wait_for_reset or self.run_policy.on_end is not None

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
        }
        return cls(**(values | parsed))


def name_taken(name: str | None, running: str) -> str:
    return (
        f"{name} runs already, as {running}; --if-running skip, queue or replace says what else should become of this."
    )
