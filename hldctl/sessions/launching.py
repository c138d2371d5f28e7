"""New sessions: from nothing, or from the conversation of another."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hldctl.claude import arguments, binary
from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import BadUsage, UnfitEnvironment, WrongState
from hldctl.host import configuration
from hldctl.host.clock import now
from hldctl.host.paths import StateDirectory
from hldctl.sessions import automatic_prune, lookup, permissions, settings, stopping, supervisors, waiting
from hldctl.sessions.name import checked as checked_name
from hldctl.sessions.options import SessionOptions, checked, checked_query, directory
from hldctl.sessions.shell import require_command
from hldctl.sessions.summary import summarize
from hldctl.sessions.terms import of_continuation, of_new_session
from hldctl.states import IfRunning
from hldctl.store import admission, sessions
from hldctl.store.database import opened
from hldctl.store.models import Session
from hldctl.supervisor.request import LaunchRequest, Permissions, Terms, name_taken

_PROMPTS = ("system_prompt", "append_system_prompt", "custom_instructions")
_IN_FILES = ("mcp_config", "claude_settings", "environment")


@dataclass(frozen=True)
class Launched:
    session_id: str
    is_new: bool = True
    """Otherwise it is a session of the same name that runs already."""
    is_queued: bool = False
    sharing: tuple[str, ...] = ()
    """Others that work in the same directory."""


def launch(state: StateDirectory, query: str, options: SessionOptions, umask: int, *, attended: bool) -> Launched:
    """Starts a session; returns once Claude Code runs, or it is queued. `attended` by somebody who can give permission.

    Raises BadUsage or UnfitEnvironment before anything is made, or the supervisor's report if Claude Code cannot run.
    """
    query = checked_query(query)
    values = checked(options)
    configured = configuration.load()
    pruning = automatic_prune.checked(configured)
    name, if_running = _naming(options)
    claude_path = str(binary.find())
    chosen = ClaudeSettings(working_dir=options.working_dir or ".", **values)
    asked = permissions.of_new_session(options, configured, attended=attended, now=now())
    terms = of_new_session(options, configured)
    rehearsal = _rehearsal(options)
    _require_commands(options, asked, terms, chosen.working_dir)
    permissions.require_hook(state, claude_path, asked, chosen)
    if rehearsal is not None:
        permissions.require_settings(chosen)
    if name is not None and if_running in (IfRunning.FAIL, IfRunning.SKIP):
        running = _running_with(state, name)
        if running is not None and if_running is IfRunning.SKIP:
            return Launched(running, is_new=False)
        if running is not None:
            raise WrongState(name_taken(name, running))
    working_dir = directory(chosen.working_dir, create_with=umask if options.create_dir else None)
    request = _request(query, claude_path, umask, replace(chosen, working_dir=working_dir), title=options.title)
    return _start(
        state,
        replace(request, permissions=asked, terms=terms, rehearsal=rehearsal, name=name, if_running=if_running),
        pruning,
    )


def resume(state: StateDirectory, words: str, query: str, options: SessionOptions, umask: int) -> Launched:
    """Starts a session that takes up the conversation of another, with its settings but for those given anew and for
    its name.

    A session that still runs is interrupted first. Raises WrongState for one that never had a conversation.
    """
    query = checked_query(query)
    values = checked(options)
    configured = configuration.load()
    pruning = automatic_prune.checked(configured)
    name, if_running = _naming(options)
    claude_path = str(binary.find())
    if arguments.names_conversation(values.get("extra_arguments", ())):
        raise BadUsage("continue chooses the conversation itself; --resume, --continue and --session-id have no place.")
    with opened(state):
        parent_id = lookup.find(words).id
    parent = waiting.until_conversation(state, parent_id)
    if parent.claude_session_id is None:
        raise WrongState(
            f"Session {parent.id} ended before Claude Code began a conversation; there is nothing to continue."
        )
    terms = of_continuation(options, parent, configured)
    rehearsal = _rehearsal(options) or _read_text(state.session(parent.id).rehearsal)
    asked = permissions.of_continuation(options, parent, now())
    _require_commands(options, asked, terms, options.working_dir or parent.working_dir)
    working_dir = directory(
        options.working_dir or parent.working_dir, create_with=umask if options.create_dir else None
    )
    inherited = _inherited(state, parent)
    values["environment"] = inherited.environment | values.get("environment", {})
    chosen = replace(inherited, working_dir=working_dir, **values)
    permissions.require_hook(state, claude_path, asked, chosen)
    if rehearsal is not None:
        permissions.require_settings(chosen)
    if parent.completed_at is None:
        # Last: what would stop the continuation must not have stopped its parent already.
        stopping.interrupt(state, [parent.id])
    if any(getattr(chosen, prompt) != getattr(parent, prompt) for prompt in _PROMPTS):
        chosen = replace(chosen, fresh_system_prompt=True)
    request = _request(query, claude_path, umask, chosen, title=options.title or parent.title)
    continuation = replace(
        request,
        parent_session_id=parent.id,
        resume=parent.claude_session_id,
        terms=terms,
        rehearsal=rehearsal,
        name=name,
        if_running=if_running,
    )
    return _start(state, _with_permissions(state, continuation, parent.id, options), pruning)


def _naming(options: SessionOptions) -> tuple[str | None, IfRunning]:
    if options.name is None and options.if_running is not None:
        raise BadUsage("--if-running goes with --name: it says what happens if a session of that name runs already.")
    return None if options.name is None else checked_name(options.name), options.if_running or IfRunning.FAIL


def _running_with(state: StateDirectory, name: str) -> str | None:
    """A session of that name that has not ended, and has not lost all that would have ended it, as by a reboot."""
    with opened(state):
        supervisors.adopt_lost(state, admission.with_name(name))
        return next(iter(admission.with_name(name)), None)


def _require_commands(options: SessionOptions, asked: Permissions, terms: Terms, working_dir: str) -> None:
    """Before anything is made, so that the directory may be missing yet."""
    where = working_dir if os.path.isdir(working_dir) else "/"
    if asked.on_approval:
        require_command("on_approval" if options.on_approval is None else "--on-approval", asked.on_approval, where)
    if terms.on_end is not None:
        require_command("on_end" if options.on_end is None else "--on-end", terms.on_end, where)


def _rehearsal(options: SessionOptions) -> str | None:
    """The script's text; raises BadUsage for one that cannot be played."""
    if options.rehearse is None:
        return None
    from hldctl.rehearsal import script

    try:
        text = Path(options.rehearse).expanduser().read_text(encoding="utf-8")
        script.parse(text)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUsage(f"--rehearse {options.rehearse} cannot be read: {reason}.") from None
    except script.ScriptError as error:
        raise BadUsage(f"--rehearse {options.rehearse}, {error}.") from None
    return text


def _with_permissions(
    state: StateDirectory, request: LaunchRequest, parent_id: str, options: SessionOptions
) -> LaunchRequest:
    """What was set of permissions while the parent ran; what has expired is dropped, from the parent, too."""
    with opened(state):
        parent = lookup.find(parent_id)
        moment = now()
        if settings.has_expired(parent, moment):
            sessions.change_settings(parent_id, settings.WITHOUT_SKIPPING, moment)
            parent = lookup.find(parent_id)
    return replace(request, permissions=permissions.of_continuation(options, parent, moment))


def _request(query: str, claude_path: str, umask: int, chosen: ClaudeSettings, title: str | None) -> LaunchRequest:
    return LaunchRequest(
        session_id=str(uuid.uuid4()),
        run_id=str(uuid.uuid4()),
        query=query,
        summary=summarize(query),
        claude_path=claude_path,
        umask=umask,
        settings=chosen,
        title=title,
    )


def _start(state: StateDirectory, request: LaunchRequest, pruning: list[str]) -> Launched:
    report = supervisors.launch(state, request)
    automatic_prune.start_if_due(state, pruning)
    if report.running is not None:
        return Launched(report.running, is_new=False)
    return Launched(report.session_id, is_queued=report.is_queued, sharing=tuple(report.sharing))


def _inherited(state: StateDirectory, parent: Session) -> ClaudeSettings:
    """The parent's settings; max_turns is not among them, for it counts anew."""
    stored = {field.name for field in fields(ClaudeSettings)} - {"model", "max_turns", *_IN_FILES}
    values: dict[str, Any] = {name: getattr(parent, name) for name in stored}
    files = state.session(parent.id)
    values |= {
        "extra_arguments": arguments.without_conversation(parent.extra_arguments),
        "model": parent.requested_model,
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
