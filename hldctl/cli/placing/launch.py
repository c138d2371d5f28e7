"""`launch --on ENGINE`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from typing import Any

import typer

from hldctl.claude.command_line import find_incompatible_option
from hldctl.cli import command_line, elsewhere, output
from hldctl.cli.elsewhere import View
from hldctl.cli.launch_options import AttachOptions, LaunchOptions
from hldctl.cli.placing.interrupt import interrupt_waiting
from hldctl.cli.placing.travel import absolute_path, travelling_options
from hldctl.cli.views import attach
from hldctl.config import load
from hldctl.engines import catalog
from hldctl.engines.engine import EngineName
from hldctl.errors import BadUsage, ExitCode, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.sessions import launch, wait
from hldctl.sessions.launch import LaunchResult
from hldctl.sessions.options import SessionOptions, validate_query
from hldctl.sessions.permissions import caller
from hldctl.sessions.summary import summarize
from hldctl.sessions.worktrees import new as new_worktrees
from hldctl.settings.option import chosen_values
from hldctl.settings.run_policy import RunPolicy
from hldctl.states import IfRunning


def run(
    words: Sequence[str],
    query: str,
    rest: tuple[str, ...],
    options: LaunchOptions,
    engine_name: EngineName,
    engine_options: Sequence[str],
) -> None:
    """Let the engine place a session; print its id, or follow it.

    `words` are the whole command line; `rest` are arguments for Claude Code.
    """
    state = StateDirectory.from_environment()
    state.require_own()
    query = validate_query(query)
    chosen = options.session_options(rest)
    _require_valid(chosen)
    session_id = options.session_id or str(uuid.uuid4())
    files, command = _command(words, rest, chosen, session_id, engine_name)
    configuration = load.load()
    engine = catalog.engine(engine_name)
    all_options = [*configuration.engine_options(engine_name), *engine_options]
    engine.check_options(all_options, is_exclusive=chosen.name is not None)
    if (fleet := configuration.fleet) is None:
        raise UnfitEnvironment(
            f"--on {engine_name} needs a fleet, whose record shows where a session is; see `hldctl fleet --help`."
        )
    caller.require_right(state, f"Launching with --on {engine_name}")
    launch.join_configured_fleet(state, configuration)
    if launch.find_launched(state, options.session_id) is not None:
        _note_repeat(session_id, options.attach)
        _finish(session_id, options.attach)
        return
    # Imported here: the driver of PostgreSQL takes as long as the rest.
    from hldctl.fleet.placing import place as placing
    from hldctl.fleet.placing.script import write_script

    placement = placing.place(
        fleet,
        engine,
        session_id,
        _columns(query, chosen),
        lambda: write_script(command, query, files),
        all_options,
    )
    if placement.is_repeat:
        _note_repeat(session_id, options.attach)
    elif not options.attach.quiet:
        output.print_note(f"queued: {engine_name} has it as job {placement.place.job}")
    _finish(session_id, options.attach)


def _note_repeat(session_id: str, options: AttachOptions) -> None:
    if not options.quiet:
        output.print_note(f"session {session_id} was launched before")


def _require_valid(options: SessionOptions) -> None:
    """Raise BadUsage for what can be known here; whether directories and programs exist is known on the machine."""
    launch.name_and_if_running(options)
    if options.if_running not in (None, IfRunning.QUEUE):
        raise BadUsage(f"--if-running {options.if_running} does not work with --on: a session waits for its name.")
    new_worktrees.validate(options)
    if (option := find_incompatible_option(options.extra_arguments or ())) is not None:
        raise BadUsage(f"{option} after -- cannot be used: hldctl could not read Claude Code's output; remove it.")


def _command(
    words: Sequence[str], rest: Sequence[str], options: SessionOptions, session_id: str, engine: EngineName
) -> tuple[list[str], list[str]]:
    """Return the files and the words of the command that the job runs; it has the query on standard input."""
    travelling = travelling_options(command_line.parse(words, {}), engine)
    own = ["launch", "--wait", "--quiet", f"--as={session_id}", "-C", absolute_path(options.working_dir or ".")]
    if options.name is not None:
        # The engine lets one job of the name run at a time, but a session may have been launched on the machine.
        own += [f"--name={options.name}", "--if-running=queue"]
    if options.worktree is not None:
        own.append(f"--worktree={options.worktree}" if options.worktree else "--worktree")
    end = ["--", *rest] if rest else []
    return travelling.files, [*own, *travelling.words, "-", *end]


def _columns(query: str, options: SessionOptions) -> dict[str, Any]:
    """Return the columns of the session that are known before it runs."""
    policy = chosen_values(RunPolicy, options.given, 0)
    return {
        "query": query,
        "summary": summarize(query),
        "title": options.title,
        "name": options.name,
        "working_dir": os.path.expanduser(absolute_path(options.working_dir or ".")),
        "model": options.given.get("model"),
        "group_name": policy.get("group_name"),
    }


def _finish(session_id: str, options: AttachOptions) -> None:
    launched = LaunchResult(session_id)
    if not options.is_attached and not options.as_json:
        attach.print_launched(StateDirectory.from_environment(), launched, options)
        if not options.quiet:
            attach.print_next_command(launched, options)
        return
    with elsewhere.find([session_id]) as view:
        if options.is_attached:
            attach.finish_elsewhere(view.state, session_id, options, lambda: _stop(view, session_id))
        attach.print_launched(view.state, launched, options)


def _stop(view: View, session_id: str) -> None:
    """Interrupt a session that has not begun; leave another one running, and exit."""
    if interrupt_waiting(session_id) is None:
        output.print_note(
            f"session {session_id} continues on {elsewhere.machine_name(view, session_id) or 'its machine'}"
        )
        raise typer.Exit(ExitCode.INTERRUPTED)
    wait.wait_for_sessions(view.state, [session_id])
