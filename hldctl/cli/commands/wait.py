"""`hldctl wait`."""

from __future__ import annotations

import sys
from typing import Annotated, NamedTuple

import typer

from hldctl import durations
from hldctl.cli import elsewhere, output, resumption, standard_streams
from hldctl.cli.elsewhere import View
from hldctl.cli.params import StatusChoice, timeout_parser
from hldctl.cli.render import ending
from hldctl.cli.resumption import Position
from hldctl.cli.views.progress import progress_line
from hldctl.errors import BadUsage, ExitCode
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup, wait
from hldctl.states import Status
from hldctl.store.database import open_for_reading
from hldctl.store.json_view import session_object
from hldctl.store.session import Session


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to wait for.")],
    any_of_them: Annotated[bool, typer.Option("--any", help="Wait until one of them has ended.")] = False,
    until: Annotated[
        Status | None,
        typer.Option(
            click_type=StatusChoice(),
            metavar="STATUS",
            help="Wait until they have this status; 4 if one completes without it.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="DURATION", parser=timeout_parser, help="Stop waiting after this long, with exit code 7."),
    ] = None,
    lost_after: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION",
            parser=timeout_parser,
            help="Stop waiting, with exit code 5, when the session's machine in the fleet has been silent this long.",
        ),
    ] = None,
    results: Annotated[bool, typer.Option("--results", help="Print the results, in the order of the IDs.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the sessions as JSON, in the order of the IDs.")
    ] = False,
) -> None:
    """Wait for sessions to end; the exit code is the worst of theirs.

    With --any, print the ids of the sessions that have ended or reached the status. Ctrl-C and --timeout stop the
    waiting, not the sessions.
    """
    if results and as_json:
        raise BadUsage("Use either --results or --json, not both.")
    # The exit code is that of the sessions, even if their results cannot be written.
    standard_streams.tolerate_write_errors(output.print_write_error)
    resumed = resumption.resumed_position()
    if resumed is not None:
        sessions = list(resumed.ids)
        timeout = None if timeout is None else max(0.0, timeout - resumed.waited_seconds)
    with elsewhere.find(sessions) as view:
        code = _wait(
            view,
            sessions,
            _Options(until, any_of_them, timeout, lost_after, results, as_json),
        )
    raise typer.Exit(code)


class _Options(NamedTuple):
    until: Status | None
    any_of_them: bool
    timeout: float | None
    lost_after: float | None
    results: bool
    as_json: bool


def _wait(view: View, refs: list[str], options: _Options) -> ExitCode:
    state, (until, any_of_them, timeout, lost_after, results, as_json) = view.state, options
    with open_for_reading(state):
        ids = [lookup.find_session(ref).id for ref in refs]
    resumption.mark_start(Position(tuple(ids), is_last_mark=True))
    with progress_line(ids) as progress:
        look_for_loss = elsewhere.watch_for_loss(view, ids, lost_after)

        def look() -> None:
            look_for_loss()
            progress.draw()

        reached = wait.wait_for_sessions(
            state, ids, until=until, any_of_them=any_of_them, timeout_seconds=timeout, on_look=look
        )
    in_order = sorted(reached, key=lambda session: ids.index(session.id))
    if as_json:
        output.print_json([session_object(session) for session in in_order])
    elif results:
        _print_results(in_order)
    elif any_of_them:
        for session in in_order:
            output.print_data(session.id)
    for session in in_order:
        for message in filter(None, (ending.problem(session), ending.undelivered(session))):
            output.print_note(message)
    late_ids = set(ids) - {session.id for session in reached}
    if timeout is not None and late_ids and not (any_of_them and reached):
        _print_late(state, [session_id for session_id in ids if session_id in late_ids], timeout)
        return ExitCode.STILL_RUNNING
    return wait.worst_exit_code(reached, until)


def _print_late(state: StateDirectory, ids: list[str], timeout_seconds: float) -> None:
    with open_for_reading(state):
        late = [lookup.find_session(session_id) for session_id in dict.fromkeys(ids)]
    waited = durations.to_text(int(timeout_seconds * 1000))
    for session in late:
        output.print_note(
            f"{ending.label(session)} is still {session.status} after --timeout {waited}; "
            f"see: hldctl show {session.id[:8]}"
        )


def _print_results(sessions: list[Session]) -> None:
    for position, session in enumerate(sessions):
        if len(sessions) > 1 and sys.stdout.isatty():
            # In a pipe a script expects nothing but the results.
            if position:
                output.print_data("")
            output.print_data(output.style(f"── {ending.label(session)}", dim=True))
        if session.result_content is not None:
            output.print_data(output.escape_at_terminal(session.result_content))
