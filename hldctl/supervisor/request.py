"""What `launch` hands to the supervisor that it starts: by a pipe, since it holds secrets and can be long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from hldctl.claude import mcp, permission
from hldctl.claude.settings import ClaudeSettings
from hldctl.hook import command as hook
from hldctl.host.paths import SessionFiles, StateDirectory, write_private


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
    timeout_ms: int | None = None
    idle_timeout_ms: int | None = None

    @property
    def is_hooked(self) -> bool:
        return asks_by_hook(self.permissions, self.settings)

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> LaunchRequest:
        values = json.loads(data)
        settings = ClaudeSettings.from_values(values["settings"])
        return cls(**(values | {"settings": settings, "permissions": Permissions(**values["permissions"])}))


def write_inputs(request: LaunchRequest, files: SessionFiles, state: StateDirectory) -> None:
    """The prompt, and all that may hold secrets, as private files: for Claude Code and for continuations."""
    settings = request.settings
    write_private(files.prompt, request.query.encode("utf-8", errors="replace"))
    for path, value in (
        (files.mcp_config, _mcp_config(request, state)),
        (files.claude_settings, settings.claude_settings),
        (files.hooked_settings, _hooked_settings(request)),
        (files.environment, settings.environment or None),
    ):
        if value is not None:
            write_private(path, json.dumps(value).encode())
    for path, text in (
        (files.system_prompt, settings.system_prompt),
        (files.append_system_prompt, settings.appended_prompt),
    ):
        if text is not None:
            write_private(path, text.encode("utf-8", errors="replace"))


def _hooked_settings(request: LaunchRequest) -> dict[str, Any] | None:
    if not request.is_hooked:
        return None
    return permission.with_hook(request.settings.claude_settings, hook.command())


def _mcp_config(request: LaunchRequest, state: StateDirectory) -> dict[str, Any] | None:
    config = request.settings.mcp_config
    if config is None:
        return None
    return mcp.with_variables(config, session_id=request.session_id, run_id=request.run_id, state_directory=state.root)
