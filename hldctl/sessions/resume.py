"""Continuation of a session: a new session with the same conversation."""

from __future__ import annotations

from dataclasses import replace

from hldctl.claude import binary, command_line
from hldctl.config import load
from hldctl.config.layers import find_layers
from hldctl.errors import BadUsage, WrongState
from hldctl.paths import StateDirectory
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.sessions import (
    auto_prune,
    inheritance,
    interrupt,
    lookup,
    opened,
    option_check,
    policies,
    preflight,
    settings,
    wait,
)
from hldctl.sessions.launch import (
    LaunchResult,
    find_launched,
    find_running_session,
    name_and_if_running,
    new_request,
    read_rehearsal,
    require_commands,
    start,
)
from hldctl.sessions.options import SessionOptions, add_defaults, validate, validate_query, working_directory
from hldctl.sessions.permissions import caller
from hldctl.sessions.predecessors import find_predecessors
from hldctl.sessions.worktrees import new as new_worktrees
from hldctl.states import IfOverBudget
from hldctl.store import sessions
from hldctl.store.database import open_database
from hldctl.system.clock import current_time_ms

_PROMPTS = ("system_prompt", "append_system_prompt", "custom_instructions")


def resume(
    state: StateDirectory,
    session_ref: str,
    query: str,
    options: SessionOptions,
    umask: int,
    *,
    awaited: bool,
    session_id: str | None = None,
) -> LaunchResult:
    """Launch a session that continues the conversation of another, with its settings except its name and those given.

    A session that is still running is interrupted first, unless the new one starts after it. `awaited` says whether
    somebody waits for the new one. A session that has the chosen id already is returned. Raise WrongState if the old
    one never had a conversation.
    """
    query = validate_query(query)
    state.require_own()
    if (repeat := find_launched(state, session_id)) is not None:
        return repeat
    values = validate(options)
    new_worktrees.refuse_in_continuation(options)
    configuration = load.load()
    name, if_running = name_and_if_running(options)
    claude_path = str(binary.find_binary())
    if command_line.has_conversation_option(values.get("extra_arguments", ())):
        raise BadUsage("continue chooses the conversation itself; remove --resume, --continue and --session-id.")
    with open_database(state):
        parent_id = lookup.find_session(session_ref).id
    # Its settings and environment become the new session's.
    state.session(parent_id).require_own()
    predecessors = find_predecessors(state, options, query)
    is_parent_awaited = parent_id in predecessors.ids
    parent = wait.wait_for_conversation(state, parent_id, or_await_end=is_parent_awaited)
    opened.require_closed(state, parent)
    if parent.claude_session_id is None and parent.completed_at is not None:
        raise WrongState(
            f"Session {parent.id} ended before Claude Code began a conversation; there is nothing to continue."
        )
    if options.working_dir is None:
        new_worktrees.require_present(parent)
    all_options = options
    if (profile := options.given.get("profile")) is not None:
        layers = find_layers(state, configuration, options.working_dir or parent.working_dir, profile)
        assert layers.profile is not None
        all_options = add_defaults(options, layers.profile.options)
        values = validate(all_options)
    run_policy = policies.continued_run_policy(all_options, parent, configuration)
    rehearsal = read_rehearsal(options)
    if rehearsal is None:
        rehearsal = inheritance.read_text(state.session(parent.id).rehearsal)
    permissions = policies.continued_permissions(all_options, parent, current_time_ms())
    require_commands(options, run_policy, permissions, options.working_dir or parent.working_dir)
    working_dir = working_directory(
        options.working_dir or parent.working_dir, create_with=umask if options.create_dir else None
    )
    inherited_settings = inheritance.claude_settings(state, parent)
    values["environment"] = inherited_settings.environment | values.get("environment", {})
    new_settings = inheritance.merge(inherited_settings, {"working_dir": working_dir, **values})
    policies.require_affordable(configuration, new_settings.max_budget_usd, run_policy.group_name)
    # A session may pass the permissions that it has to its own continuation.
    widens = policies.has_wide_options(all_options) or policies.are_agents_wide(values.get("agents"))
    widens = widens or (
        policies.are_wide(permissions, new_settings) and caller.session_without_right(state) != parent.id
    )
    if widens:
        policies.refuse_to_widen(state)
    preflight.require_hook(state, claude_path, permissions, new_settings)
    option_check.require_accepted(state, claude_path, new_settings)
    if rehearsal is not None:
        preflight.require_rehearsal_settings(new_settings)
    if (running := find_running_session(state, name, if_running, exclude=parent.id)) is not None:
        return LaunchResult(running, is_new=False)
    if parent.completed_at is None and not is_parent_awaited:
        # Last, so that an error in the continuation does not stop its parent.
        interrupt.interrupt_sessions(state, [parent.id])
    if any(getattr(new_settings, prompt) != getattr(parent, prompt) for prompt in _PROMPTS):
        new_settings = replace(new_settings, fresh_system_prompt=True)
    # What was private stays so in one that is not.
    inherited_title = parent.title if run_policy.private or not parent.private else None
    title = options.title or inherited_title
    request = new_request(query, claude_path, umask, new_settings, title, session_id)
    continuation = replace(
        request,
        parent_session_id=parent.id,
        worktree=new_worktrees.inherited(parent, working_dir),
        resume=parent.claude_session_id,
        after=predecessors.as_objects(),
        references=predecessors.references,
        continues_predecessor=is_parent_awaited,
        run_policy=run_policy,
        rehearsal=rehearsal,
        name=name,
        if_running=if_running,
        if_over_budget=options.if_over_budget or IfOverBudget.QUEUE,
        launched_within=parent.launched_within,
        is_attended=awaited,
        chosen=all_options.names,
    )
    return start(
        state, _add_permissions(state, continuation, parent.id, all_options), auto_prune.prune_options(configuration)
    )


def _add_permissions(
    state: StateDirectory, request: LaunchRequest, parent_id: str, options: SessionOptions
) -> LaunchRequest:
    """Return the request with the parent's current permissions; expired ones are dropped, in the parent's row too."""
    with open_database(state):
        parent = lookup.find_session(parent_id)
        now_ms = current_time_ms()
        if settings.has_skipping_expired(parent, now_ms):
            sessions.change_settings(parent_id, settings.SKIPPING_OFF, now_ms)
            parent = lookup.find_session(parent_id)
    return replace(request, permissions=policies.continued_permissions(options, parent, now_ms))
