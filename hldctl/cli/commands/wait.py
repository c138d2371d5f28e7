"""`hldctl wait`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import output, standard_streams
from hldctl.cli.render import ending
from hldctl.errors import BadUsage
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
        Status | None, typer.Option(metavar="STATUS", help="Wait until they have this status, or have ended.")
    ] = None,
    results: Annotated[bool, typer.Option("--results", help="Print the results, in the order of the IDs.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the sessions as JSON, in the order of the IDs.")
    ] = False,
) -> None:
    """Wait for sessions to end; the exit code is the worst of theirs.

    With --any, print the ids of the sessions that have ended or reached the status.
    """
    if results and as_json:
        raise BadUsage("Use either --results or --json, not both.")
    # The exit code is that of the sessions, even if their results cannot be written.
    standard_streams.tolerate_write_errors(output.print_write_error)
    state = StateDirectory.from_environment()
    with open_for_reading(state):
        ids = [lookup.find_session(ref).id for ref in sessions]
    reached = wait.wait_for_sessions(state, ids, until=until, any_of_them=any_of_them)
    in_order = sorted(reached, key=lambda session: ids.index(session.id))
    if as_json:
        output.print_json([session_object(session) for session in in_order])
    elif results:
        _print_results(in_order)
    elif any_of_them:
        for session in in_order:
            output.print_data(session.id)
    for message in filter(None, map(ending.problem, in_order)):
        output.print_note(message)
    raise typer.Exit(wait.worst_exit_code(reached))


def _print_results(sessions: list[Session]) -> None:
    for session in sessions:
        if session.result_content is not None:
            output.print_data(output.escape_at_terminal(session.result_content))
