"""`hldctl import`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.standard_streams import is_attended
from hldctl.paths import StateDirectory
from hldctl.sessions import import_, lookup
from hldctl.store.database import open_database
from hldctl.store.json_view import session_object


def command(
    ctx: typer.Context,
    conversation: Annotated[
        str, typer.Argument(metavar="CONVERSATION", help="Id of a conversation of Claude Code, or its transcript file.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the session as JSON.")] = False,
) -> None:
    """Make a conversation of Claude Code known as a session, and print its id.

    The session has ended. It can be shown, exported and continued like any other.
    """
    state = StateDirectory.from_environment()
    imported = import_.import_conversation(state, conversation, ctx.obj["umask"], attended=is_attended())
    if as_json:
        with open_database(state):
            output.print_json(session_object(lookup.find_session(imported.session_id)))
    else:
        output.print_data(imported.session_id)
    if imported.skipped_lines:
        output.print_note(f"{imported.skipped_lines} lines of the transcript cannot be read and were skipped")
    if not imported.is_resumable:
        output.print_note("the session cannot be continued: Claude Code does not find its directory or transcript")
