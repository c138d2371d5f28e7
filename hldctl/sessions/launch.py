"""Launch of new sessions, and the steps that `continue` shares."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hldctl.claude import binary
from hldctl.claude.account import account_key
from hldctl.claude.environment import session_environment
from hldctl.claude.login import has_login_traces
from hldctl.claude.settings import ClaudeSettings
from hldctl.config import load
from hldctl.config.layers import Ignored, find_layers
from hldctl.config.schema import Configuration
from hldctl.errors import BadUsage, WrongState
from hldctl.paths import StateDirectory
from hldctl.protocol import link
from hldctl.protocol.enclosing import marked_session
from hldctl.protocol.launch_request import LaunchRequest, name_taken_message
from hldctl.sessions import auto_prune, option_check, policies, preflight, supervisors
from hldctl.sessions.lookup import validate_name
from hldctl.sessions.options import SessionOptions, add_defaults, validate, validate_query, working_directory
from hldctl.sessions.permissions import caller
from hldctl.sessions.predecessors import find_predecessors
from hldctl.sessions.summary import summarize
from hldctl.sessions.worktrees import new as new_worktrees
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy
from hldctl.states import IfOverBudget, IfRunning, WaitReason
from hldctl.store import sessions
from hldctl.store.admission import entries
from hldctl.store.database import open_database
from hldctl.system.clock import current_time_ms

if TYPE_CHECKING:
    from hldctl.worktrees.create import NewWorktree


# When this command, or a server that runs in a session, began. Whatever interrupts the session later ends it, too.
_BEGAN_MS = current_time_ms()
# How often to look whether a session that is about to be recorded is.
_RECORDED_POLL_SECONDS = 0.02


class Doubt(StrEnum):
    """A reason to expect that Claude Code ends at once, known before it runs."""

    ARGUMENTS = "arguments"
    """It has arguments that hldctl does not know."""
    LOGIN = "login"
    """There is no trace of a login."""


@dataclass(frozen=True)
class LaunchResult:
    """The result of a launch."""

    session_id: str
    is_new: bool = True
    """False if it is a running session with the same name, or one that had the chosen id before."""
    waiting_for: WaitReason | None = None
    """What it waits for if it is queued."""
    limit_until: int | None = None
    """When its account reopens, in milliseconds since 1970; None if it is open or that is unknown."""
    replaces: bool = False
    """True if it is queued until the sessions with its name that it replaces have ended."""
    reduced: tuple[str, ...] = ()
    """What it has in place of settings that the session that launched it may not give."""
    sharing: tuple[str, ...] = ()
    """Ids of other sessions that work in the same directory."""
    doubt: Doubt | None = None
    """Why Claude Code may end at once."""
    ignored: Ignored | None = None
    """Settings of the project that are not used."""
    new_worktree: NewWorktree | None = None
    """The worktree that was made for it."""
    is_repeat: bool = False
    """True if the session with the chosen id was launched before."""


def launch(
    state: StateDirectory,
    query: str,
    options: SessionOptions,
    umask: int,
    *,
    attended: bool,
    awaited: bool = False,
    session_id: str | None = None,
) -> LaunchResult:
    """Launch a session, and return when Claude Code runs or the session is queued.

    `attended` says whether a person can give permission, `awaited` whether the caller waits for the end. A session that
    has the chosen id already is returned. Raise BadUsage or UnfitEnvironment before anything is created, or the error
    that the supervisor reports if Claude Code cannot run.
    """
    query = validate_query(query)
    # First, because the next steps run programs, such as the user's login shell.
    state.require_own()
    if (repeat := find_launched(state, session_id)) is not None:
        return repeat
    configuration = load.load()
    join_configured_fleet(state, configuration)
    layers = find_layers(state, configuration, options.working_dir or ".", options.given.get("profile"))
    # The caller chose the profile and the project, but not the user's own defaults.
    chosen = add_defaults(options, layers.chosen)
    widens = policies.has_wide_options(chosen)
    permissions = policies.new_permissions(options, layers.options, attended=attended, now=current_time_ms())
    all_options = add_defaults(options, layers.options)
    values = validate(all_options)
    widens = widens or policies.are_agents_wide(values.get("agents"))
    new_worktrees.validate(options)
    name, if_running = name_and_if_running(options)
    claude_path = str(binary.find_binary())
    settings = ClaudeSettings(working_dir=options.working_dir or ".", **values)
    run_policy = policies.new_run_policy(all_options, configuration)
    policies.require_affordable(configuration, settings.max_budget_usd, run_policy.group_name)
    if widens or permissions.from_session:
        policies.refuse_to_widen(state)
    rehearsal = read_rehearsal(options)
    require_commands(options, run_policy, permissions, settings.working_dir)
    preflight.require_hook(state, claude_path, permissions, settings)
    if rehearsal is not None:
        preflight.require_rehearsal_settings(settings)
    option_check.require_accepted(state, claude_path, settings)
    predecessors = find_predecessors(state, options, query)
    if (running := find_running_session(state, name, if_running, exclude=session_id or "")) is not None:
        return LaunchResult(running, is_new=False)
    working_dir = working_directory(settings.working_dir, create_with=umask if options.create_dir else None)
    settings = replace(settings, working_dir=working_dir)
    request = new_request(query, claude_path, umask, settings, options.title, session_id)
    request = replace(
        request,
        permissions=permissions,
        run_policy=run_policy,
        rehearsal=rehearsal,
        name=name,
        if_running=if_running,
        after=predecessors.as_objects(),
        references=predecessors.references,
        if_over_budget=options.if_over_budget or IfOverBudget.QUEUE,
        is_attended=attended or awaited,
        chosen=chosen.names,
    )
    pruning = auto_prune.prune_options(configuration)
    if options.worktree is None:
        return replace(start(state, request, pruning), ignored=layers.ignored)
    with new_worktrees.new_worktree(state, request, options, configuration) as (request_there, made):
        launched = start(state, request_there, pruning)
    if not launched.is_new:
        new_worktrees.undo(made)
        return launched
    return replace(launched, new_worktree=made, ignored=layers.ignored)


def join_configured_fleet(state: StateDirectory, configuration: Configuration) -> None:
    """Let this machine join the fleet that is configured: in a container or a job, nobody types `fleet join`."""
    if configuration.fleet is not None and not state.fleet.has_joined:
        state.prepare()
        link.join(state)


def find_launched(state: StateDirectory, session_id: str | None) -> LaunchResult | None:
    """Return the session that was launched with this id; None if there is none, or without an id."""
    if session_id is None:
        return None
    with open_database(state):
        is_known = sessions.get(session_id) is not None
    return LaunchResult(session_id, is_new=False, is_repeat=True) if is_known else None


def name_and_if_running(options: SessionOptions) -> tuple[str | None, IfRunning]:
    """Return the name of a new session, and what to do if it is taken; raise BadUsage for an invalid name."""
    if options.name is None and options.if_running is not None:
        raise BadUsage("--if-running needs --name: it says what to do if a session with that name is already running.")
    return None if options.name is None else validate_name(options.name), options.if_running or IfRunning.FAIL


def find_running_session(
    state: StateDirectory, name: str | None, if_running: IfRunning, exclude: str = ""
) -> str | None:
    """Return the running session with that name, except `exclude`, if none shall be started because of it.

    Raise WrongState if `if_running` is FAIL. The final check is made when the row is inserted. This one adopts sessions
    that have lost their processes, for example by a reboot, and avoids creating anything for a launch that will fail.
    """
    if name is None or if_running not in (IfRunning.FAIL, IfRunning.SKIP):
        return None
    with open_database(state):
        supervisors.adopt_lost(state, entries.ids_with_name(name))
        running = next((session_id for session_id in entries.ids_with_name(name) if session_id != exclude), None)
    if running is not None and if_running is IfRunning.FAIL:
        raise WrongState(name_taken_message(name, running))
    return running


def require_commands(
    options: SessionOptions, run_policy: RunPolicy, permissions: Permissions, working_dir: str
) -> None:
    """Check the user's commands before anything is created; the directory may not exist yet. Raise BadUsage."""
    if run_policy.on_end is not None:
        option = "--on-end" if "on_end" in options.given else "on_end"
        preflight.require_command(option, run_policy.on_end, working_dir)
    if run_policy.check_command is not None:
        option = "--check" if "check" in options.given else "check"
        preflight.require_shell_command(option, run_policy.check_command, working_dir)
    if permissions.on_approval is not None:
        option = "--on-approval" if "on_approval" in options.given else "on_approval"
        preflight.require_preset(option, permissions.on_approval)


def read_rehearsal(options: SessionOptions) -> str | None:
    """Return the text of the rehearsal script, None without one; raise BadUsage if it cannot be read or parsed."""
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


def new_request(
    query: str, claude_path: str, umask: int, chosen: ClaudeSettings, title: str | None, session_id: str | None = None
) -> LaunchRequest:
    """Return a launch request with new ids, or with the chosen one."""
    return LaunchRequest(
        session_id=session_id or str(uuid.uuid4()),
        run_id=str(uuid.uuid4()),
        query=query,
        summary=summarize(query),
        claude_path=claude_path,
        umask=umask,
        settings=chosen,
        title=title,
    )


def start(state: StateDirectory, request: LaunchRequest, pruning: list[str]) -> LaunchResult:
    """Start a supervisor for the request, and the daily prune if it is due."""
    try:
        # Without any login, this command waits for the first reply.
        is_attended = request.is_attended or _doubt(request) is Doubt.LOGIN
        request = replace(
            request,
            account=_account(state, request),
            is_attended=is_attended,
            requested_at=_BEGAN_MS,
            marker=marked_session(),
            is_users_command=caller.is_users_command(state),
        )
        report = supervisors.launch(state, request)
    finally:
        # Also if a full disk prevents the launch: after pruning, the next one may have room.
        auto_prune.start_if_due(state, pruning)
    if report.running == request.session_id:
        return _await_repeated(state, request.session_id)
    if report.running is not None:
        return LaunchResult(report.running, is_new=False)
    replaces = report.waiting_for is WaitReason.NAME and request.if_running is IfRunning.REPLACE
    doubt = None if report.waiting_for is not None else _doubt(request)
    waiting = (report.waiting_for, report.limit_until)
    return LaunchResult(
        report.session_id,
        True,
        *waiting,
        replaces=replaces,
        reduced=tuple(report.reduced),
        sharing=tuple(report.sharing),
        doubt=doubt,
    )


def _await_repeated(state: StateDirectory, session_id: str) -> LaunchResult:
    """Return the session that another command launches with this id at the same time, once it is recorded."""
    directory = state.session(session_id).directory
    while (repeat := find_launched(state, session_id)) is None:
        if not directory.exists():
            raise WrongState(f"Session {session_id} could not be started by another command; try again.")
        time.sleep(_RECORDED_POLL_SECONDS)
    return repeat


def _account(state: StateDirectory, request: LaunchRequest) -> str:
    settings = request.settings
    variables = session_environment(
        os.environ,
        settings.environment,
        session_id=request.session_id,
        run_id=request.run_id,
        state_directory=state.root,
    )
    rehearsal = None if request.rehearsal is None else request.session_id
    return account_key(variables, settings.claude_settings, rehearsal=rehearsal)


def _doubt(request: LaunchRequest) -> Doubt | None:
    settings = request.settings
    # The user's settings may contain a key or a helper.
    has_login = request.rehearsal is not None or settings.claude_settings is not None
    if not has_login and not has_login_traces({**os.environ, **settings.environment}):
        return Doubt.LOGIN
    return Doubt.ARGUMENTS if settings.extra_arguments else None
