"""New sessions, and what all new ones have in common.

A line that recalls what a session was asked."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from hldctl.claude import binary
from hldctl.claude.settings import ClaudeSettings
from hldctl.config import load
from hldctl.errors import BadUsage, WrongState
from hldctl.paths import StateDirectory
from hldctl.protocol.launch_request import LaunchRequest, name_taken
from hldctl.sessions import auto_prune, policies, preflight, supervisors
from hldctl.sessions.lookup import validate_name
from hldctl.sessions.options import SessionOptions, directory, validate, validate_query, with_defaults
from hldctl.settings.run_policy import RunPolicy
from hldctl.states import IfRunning
from hldctl.store import scheduler
from hldctl.store.database import opened
from hldctl.system.clock import now


@dataclass(frozen=True)
class Launched:
    session_id: str
    is_new: bool = True
    """Otherwise it is a session of the same name that runs already."""
    is_queued: bool = False
    replaces: bool = False
    """Whether it is queued until those of its name have ended that it replaces."""
    sharing: tuple[str, ...] = ()
    """Others that work in the same directory."""


def launch(state: StateDirectory, query: str, options: SessionOptions, umask: int, *, attended: bool) -> Launched:
    """Starts a session; returns once Claude Code runs, or it is queued. `attended` by somebody who can give permission.

    Raises BadUsage or UnfitEnvironment before anything is made, or the supervisor's report if Claude Code cannot run.
    """
    query = validate_query(query)
    # First: what follows runs programs, such as the user's login shell.
    state.require_own()
    configuration = load.load()
    configured = load.options(configuration)
    widens = policies.ask_for_wide_permissions(options)
    permissions = policies.new_permissions(options, configured, attended=attended, now=now())
    complete = with_defaults(options, configured)
    values = validate(complete)
    name, if_running = naming(options)
    claude_path = str(binary.find())
    chosen = ClaudeSettings(working_dir=options.working_dir or ".", **values)
    run_policy = policies.new_run_policy(complete, configuration)
    within = policies.launcher_without_right(
        state, widens=widens or permissions.from_session, permissions=permissions, run_policy=run_policy
    )
    rehearsal = rehearsal_of(options)
    require_on_end(options, run_policy, chosen.working_dir)
    preflight.require_hook(state, claude_path, permissions, chosen)
    if rehearsal is not None:
        preflight.require_settings(chosen)
    if (running := running_instead(state, name, if_running)) is not None:
        return Launched(running, is_new=False)
    working_dir = directory(chosen.working_dir, create_with=umask if options.create_dir else None)
    request = request_of(query, claude_path, umask, replace(chosen, working_dir=working_dir), title=options.title)
    return start(
        state,
        replace(
            request,
            permissions=permissions,
            run_policy=run_policy,
            rehearsal=rehearsal,
            name=name,
            if_running=if_running,
            launched_within=within,
        ),
        auto_prune.options(configuration),
    )


def naming(options: SessionOptions) -> tuple[str | None, IfRunning]:
    if options.name is None and options.if_running is not None:
        raise BadUsage("--if-running goes with --name: it says what happens if a session of that name runs already.")
    return None if options.name is None else validate_name(options.name), options.if_running or IfRunning.FAIL


def running_instead(state: StateDirectory, name: str | None, if_running: IfRunning, but: str = "") -> str | None:
    """The session of that name, `but` for one, in whose favour none is started; raises WrongState if that is a failure.

    Whether one runs is decided as the row is made. This is for one that has lost all that would have ended it, as by a
    reboot, and so that nothing is made in vain.
    """
    if name is None or if_running not in (IfRunning.FAIL, IfRunning.SKIP):
        return None
    with opened(state):
        supervisors.adopt_lost(state, scheduler.with_name(name))
        running = next((session_id for session_id in scheduler.with_name(name) if session_id != but), None)
    if running is not None and if_running is IfRunning.FAIL:
        raise WrongState(name_taken(name, running))
    return running


def require_on_end(options: SessionOptions, run_policy: RunPolicy, working_dir: str) -> None:
    """Before anything is made, so that the directory may be missing yet."""
    if run_policy.on_end is not None:
        option = "--on-end" if "on_end" in options.given else "on_end"
        preflight.require_command(option, run_policy.on_end, working_dir)


def rehearsal_of(options: SessionOptions) -> str | None:
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


def request_of(query: str, claude_path: str, umask: int, chosen: ClaudeSettings, title: str | None) -> LaunchRequest:
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


def start(state: StateDirectory, request: LaunchRequest, pruning: list[str]) -> Launched:
    try:
        report = supervisors.launch(state, request)
    finally:
        # Also beside a launch that a full disk prevents: the next one may have the room.
        auto_prune.start_if_due(state, pruning)
    if report.running is not None:
        return Launched(report.running, is_new=False)
    replaces = report.is_queued and request.if_running is IfRunning.REPLACE
    return Launched(report.session_id, True, report.is_queued, replaces, tuple(report.sharing))


_LENGTH = 50
_ELLIPSIS = "..."


def summarize(query: str) -> str:
    """The query on one line; if it has more than 50 characters, its first 47 and three dots.

    Characters as a person counts them: an emoji made of several code points, or a letter and its accents, is one.
    """
    line = " ".join(query.split())
    if len(line) <= _LENGTH:
        return line
    if line.isascii():
        return line[: _LENGTH - len(_ELLIPSIS)] + _ELLIPSIS
    # Only here: its tables take 40 ms to load.
    from wcwidth import iter_graphemes

    characters = list(islice(iter_graphemes(line), _LENGTH + 1))
    if len(characters) <= _LENGTH:
        return line
    return "".join(characters[: _LENGTH - len(_ELLIPSIS)]) + _ELLIPSIS
