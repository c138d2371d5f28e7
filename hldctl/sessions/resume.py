"""New sessions that take up the conversation of another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hldctl.claude import binary, command_line
from hldctl.claude.settings import ClaudeSettings
from hldctl.config import load
from hldctl.errors import BadUsage, UnfitEnvironment, WrongState
from hldctl.paths import StateDirectory
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.sessions import auto_prune, interrupt, lookup, policies, preflight, settings, wait
from hldctl.sessions.launch import Launched, naming, rehearsal_of, request_of, require_on_end, running_instead, start
from hldctl.sessions.options import SessionOptions, directory, validate, validate_query
from hldctl.sessions.permissions import caller
from hldctl.settings.option import inherited
from hldctl.store import sessions
from hldctl.store.database import opened
from hldctl.store.session import Session
from hldctl.system.clock import now

_PROMPTS = ("system_prompt", "append_system_prompt", "custom_instructions")


def resume(state: StateDirectory, words: str, query: str, options: SessionOptions, umask: int) -> Launched:
    """Starts a session that takes up the conversation of another, with its settings but for those given anew and for
    its name.

    A session that still runs is interrupted first. Raises WrongState for one that never had a conversation.
    """
    query = validate_query(query)
    state.require_own()
    values = validate(options)
    configuration = load.load()
    name, if_running = naming(options)
    claude_path = str(binary.find())
    if command_line.names_conversation(values.get("extra_arguments", ())):
        raise BadUsage("continue chooses the conversation itself; --resume, --continue and --session-id have no place.")
    with opened(state):
        parent_id = lookup.find_session(words).id
    # Its settings and environment become the new session's.
    state.session(parent_id).require_own()
    parent = wait.until_conversation(state, parent_id)
    if parent.claude_session_id is None:
        raise WrongState(
            f"Session {parent.id} ended before Claude Code began a conversation; there is nothing to continue."
        )
    run_policy = policies.continued_run_policy(options, parent, configuration)
    rehearsal = rehearsal_of(options)
    if rehearsal is None:
        rehearsal = _read_text(state.session(parent.id).rehearsal)
    permissions = policies.continued_permissions(options, parent, now())
    require_on_end(options, run_policy, options.working_dir or parent.working_dir)
    working_dir = directory(
        options.working_dir or parent.working_dir, create_with=umask if options.create_dir else None
    )
    before = _inherited_settings(state, parent)
    values["environment"] = before.environment | values.get("environment", {})
    chosen = replace(before, working_dir=working_dir, **values)
    # What a session has it may hand on to its own continuation.
    widens = policies.ask_for_wide_permissions(options) or (
        policies.are_wide(permissions, chosen) and caller.session_without_right(state) != parent.id
    )
    within = policies.launcher_without_right(state, widens=widens, permissions=permissions, run_policy=run_policy)
    preflight.require_hook(state, claude_path, permissions, chosen)
    if rehearsal is not None:
        preflight.require_settings(chosen)
    if (running := running_instead(state, name, if_running, but=parent.id)) is not None:
        return Launched(running, is_new=False)
    if parent.completed_at is None:
        # Last: what would stop the continuation must not have stopped its parent already.
        interrupt.interrupt(state, [parent.id])
    if any(getattr(chosen, prompt) != getattr(parent, prompt) for prompt in _PROMPTS):
        chosen = replace(chosen, fresh_system_prompt=True)
    request = request_of(query, claude_path, umask, chosen, title=options.title or parent.title)
    continuation = replace(
        request,
        parent_session_id=parent.id,
        resume=parent.claude_session_id,
        run_policy=run_policy,
        rehearsal=rehearsal,
        name=name,
        if_running=if_running,
        # The commands may be those that the parent's launcher chose.
        launched_within=within or parent.launched_within,
    )
    return start(state, _with_permissions(state, continuation, parent.id, options), auto_prune.options(configuration))


def _with_permissions(
    state: StateDirectory, request: LaunchRequest, parent_id: str, options: SessionOptions
) -> LaunchRequest:
    """What was set of permissions while the parent ran; what has expired is dropped, from the parent, too."""
    with opened(state):
        parent = lookup.find_session(parent_id)
        moment = now()
        if settings.has_expired(parent, moment):
            sessions.change_settings(parent_id, settings.WITHOUT_SKIPPING, moment)
            parent = lookup.find_session(parent_id)
    return replace(request, permissions=policies.continued_permissions(options, parent, moment))


def _inherited_settings(state: StateDirectory, parent: Session) -> ClaudeSettings:
    """The parent's settings; max_turns is not among them, for it counts anew."""
    files = state.session(parent.id)
    values = inherited(ClaudeSettings, parent) | {
        "extra_arguments": command_line.without_conversation(parent.extra_arguments),
        "mcp_config": _read(files.mcp_config),
        "claude_settings": _read(files.claude_settings),
        "environment": _read(files.environment) or {},
    }
    return ClaudeSettings.from_values(values)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UnfitEnvironment(f"{path}, which the new session inherits, cannot be read: {error}.") from None
    return value


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnfitEnvironment(
            f"{path}, which the new session inherits, cannot be read: {error.strerror or error}."
        ) from None
