"""What `launch` hands to the supervisor that it starts: by a pipe, since it holds secrets and can be long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from hldctl.claude import mcp
from hldctl.claude.settings import ClaudeSettings
from hldctl.host.paths import SessionFiles, StateDirectory, write_private


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
    auto_accept_edits: bool = False
    dangerously_skip_permissions: bool = False
    dangerously_skip_permissions_expires_at: int | None = None

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> LaunchRequest:
        values = json.loads(data)
        return cls(**(values | {"settings": ClaudeSettings.from_values(values["settings"])}))


def write_inputs(request: LaunchRequest, files: SessionFiles, state: StateDirectory) -> None:
    """The prompt, and all that may hold secrets, as private files: for Claude Code and for continuations."""
    settings = request.settings
    write_private(files.prompt, request.query.encode("utf-8", errors="replace"))
    for path, value in (
        (files.mcp_config, _mcp_config(request, state)),
        (files.claude_settings, settings.claude_settings),
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


def _mcp_config(request: LaunchRequest, state: StateDirectory) -> dict[str, Any] | None:
    config = request.settings.mcp_config
    if config is None:
        return None
    return mcp.with_variables(config, session_id=request.session_id, run_id=request.run_id, state_directory=state.root)
