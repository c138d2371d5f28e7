"""What `launch` hands to the supervisor that it starts: by a pipe, since it holds secrets and can be long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from hldctl.claude.settings import ClaudeSettings
from hldctl.states import IfRunning


@dataclass(frozen=True)
class Permissions:
    """What happens to a call that needs permission. All but the first three say how somebody is asked."""

    approvals: bool = False
    """Whether somebody is asked; otherwise Claude Code decides as it does without hldctl."""
    auto_accept_edits: bool = False
    dangerously_skip_permissions: bool = False
    dangerously_skip_permissions_expires_at: int | None = None
    approval_timeout_ms: int | None = None
    approval_timeout_allows: bool | None = None
    on_approval: str | None = None
    from_session: bool = False
    """Whether the session itself may answer permission requests and widen permissions."""


@dataclass(frozen=True)
class Terms:
    """Under which a session runs while nobody looks at it."""

    timeout_ms: int | None = None
    """From when Claude Code runs first, whatever is tried again."""
    idle_timeout_ms: int | None = None
    group_name: str | None = None
    """The group whose slots it takes."""
    retries: int = 0
    wait_for_reset: bool = False
    fail_on_denial: bool = False
    on_end: str | None = None


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
    terms: Terms = field(default_factory=Terms)
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
        return self.terms.retries > 0 or self.terms.wait_for_reset or self.terms.on_end is not None

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> LaunchRequest:
        values = json.loads(data)
        parsed = {
            "settings": ClaudeSettings.from_values(values["settings"]),
            "permissions": Permissions(**values["permissions"]),
            "terms": Terms(**values["terms"]),
            "if_running": IfRunning(values["if_running"]),
        }
        return cls(**(values | parsed))


def name_taken(name: str | None, running: str) -> str:
    return (
        f"{name} runs already, as {running}; --if-running skip, queue or replace says what else should become of this."
    )
