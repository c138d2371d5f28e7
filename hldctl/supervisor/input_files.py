"""A session's input files: the prompt, Claude Code's settings, and the launch request itself."""

from __future__ import annotations

import json
from typing import Any

from hldctl.claude import environment, mcp, permission_hook
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.permission_hook.command import build_hook_command
from hldctl.private_files import replace_private, write_private
from hldctl.protocol.launch_request import LaunchRequest


def write_inputs(request: LaunchRequest, files: SessionFiles, state: StateDirectory) -> None:
    """Write the prompt, and all that may hold secrets, to private files for Claude Code and for continuations."""
    settings = request.settings
    write_private(files.prompt, request.query.encode("utf-8", errors="replace"))
    for path, value in (
        (files.mcp_config, _mcp_config(request, state)),
        (files.claude_settings, settings.claude_settings),
        (files.agents, settings.agents or None),
        (files.environment, settings.environment or None),
    ):
        if value is not None:
            write_private(path, json.dumps(value).encode())
    write_settings(request, files, state)
    for path, text in (
        (files.system_prompt, settings.system_prompt),
        (files.append_system_prompt, settings.appended_prompt),
        (files.rehearsal, request.rehearsal),
    ):
        if text is not None:
            write_private(path, text.encode("utf-8", errors="replace"))


def write_settings(request: LaunchRequest, files: SessionFiles, state: StateDirectory) -> None:
    """Write the file that Claude Code gets with --settings."""
    variables = environment.session_variables(
        session_id=request.session_id, run_id=request.run_id, state_directory=state.root
    )
    settings = environment.add_session_variables(request.settings.claude_settings, variables)
    path = files.settings_with_marks
    if request.has_hook:
        settings = permission_hook.add_hook(settings, build_hook_command(request.session_id, state.root))
        path = files.settings_with_hook
    data = json.dumps(settings).encode()
    write_private(path, data)
    if request.rehearsal is not None:
        write_private(files.settings_for_rehearsal, data)


def _mcp_config(request: LaunchRequest, state: StateDirectory) -> dict[str, Any] | None:
    config = request.settings.mcp_config
    if config is None:
        return None
    return mcp.add_server_variables(
        config, session_id=request.session_id, run_id=request.run_id, state_directory=state.root
    )


def save_request(request: LaunchRequest, files: SessionFiles) -> None:
    """Save the request, environment included, so that this or another supervisor can start Claude Code later."""
    replace_private(files.request, request.to_bytes())


def load_request(files: SessionFiles) -> LaunchRequest | None:
    """Return the saved request; None if there is none, or it cannot be parsed."""
    try:
        return LaunchRequest.from_bytes(files.request.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None
