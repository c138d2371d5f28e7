"""`hldctl open`."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from hldctl.claude.input_messages import CONTINUE_TEXT
from hldctl.cli import output
from hldctl.cli.launch_options import AttachOptions
from hldctl.cli.params import timeout_parser
from hldctl.cli.terminal import handover
from hldctl.cli.terminal.handover import Ended
from hldctl.cli.terminal.signals import die
from hldctl.cli.views.attach import start_and_finish
from hldctl.cli.views.progress import progress_line
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.sessions import open_, resume
from hldctl.sessions.options import SessionOptions


def command(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to open.")],
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="The query for --continue.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Interrupt the session instead of waiting for its turn.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="DURATION", parser=timeout_parser, help="How long to wait for the end of the turn."),
    ] = None,
    continue_: Annotated[
        bool,
        typer.Option("--continue", help="Afterwards continue the conversation in the background, with QUERY if given."),
    ] = False,
) -> None:
    """Take a session over in the terminal: talk to it in Claude Code itself.

    It is opened when its turn has ended. What was said becomes a session of its own, whose id is printed. Until then,
    nobody else can send to the session or continue it.
    """
    if query is not None and not continue_:
        raise BadUsage("QUERY is for the time after the terminal; add --continue.")
    handover.require_terminal("hldctl open")
    state = StateDirectory.from_environment()
    umask = ctx.obj["umask"]
    with open_.reserve(state, session) as session_id:
        with progress_line([session_id]) as progress:
            open_.await_end(state, session_id, interrupt_turn=now, timeout_seconds=timeout, on_look=progress.draw)
        program = open_.prepare(state, session_id, umask)
        ended = handover.run(program.command, cwd=program.working_dir, environment=program.environment, umask=umask)
        recorded = open_.record(state, session_id)
    if ended.signal is not None:
        die(ended.signal)
    _report(ended, recorded)
    if continue_ and ended.code == 0:
        start_and_finish(
            state,
            lambda: resume.resume(
                state, [session_id, *recorded][-1], query or CONTINUE_TEXT, SessionOptions(), umask, awaited=True
            ),
            AttachOptions(wait=False, follow=False, as_json=False, quiet=False),
        )


def _report(ended: Ended, recorded: list[str]) -> None:
    for session_id in recorded:
        output.print_data(session_id)
    if ended.code != 0:
        how = f"exit code {ended.code}" if ended.code > 0 else signal.Signals(-ended.code).name
        if not recorded:
            raise UnfitEnvironment(f"Claude Code ended with {how}, and nothing was said.")
        output.print_note(f"Claude Code ended with {how}; what was said until then is recorded")
    elif not recorded:
        output.print_note("nothing was said, so nothing was recorded")
