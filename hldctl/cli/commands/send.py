"""`hldctl send`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.launch_options import AttachOptions
from hldctl.cli.launch_params import read_text
from hldctl.cli.params import seconds_parser
from hldctl.cli.views.attach import start_and_finish
from hldctl.errors import WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions import resume, send
from hldctl.sessions.options import SessionOptions
from hldctl.store.json_view import message_object


def command(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to write to.")],
    message: Annotated[
        str | None, typer.Argument(metavar="MESSAGE", help="The message; `-` or nothing reads standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="Read the message from a file.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end of the turn, and print Claude Code's answer.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Interrupt the current turn first.")] = False,
    or_continue: Annotated[
        bool, typer.Option("--or-continue", help="If the session has ended, continue it with the message.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(parser=seconds_parser, metavar="DURATION", help="How long to wait; the message is sent anyway."),
    ] = None,
    message_id: Annotated[
        str | None,
        typer.Option(
            "--as",
            hidden=True,
            metavar="ID",
            help="The id of the message. If there is such a message, it is not sent again.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the message as JSON, with --wait also its answer.")
    ] = False,
) -> None:
    """Send a message to a running session.

    The model gets it at the end of the tool call that is running. The message's id is printed once Claude Code has it.
    """
    text = read_text(message, file, "message", "--file", quiet=as_json)
    state = StateDirectory.from_environment()
    try:
        sent = send.send(state, session, text, interrupt=now, message_id=message_id)
    except WrongState:
        if not or_continue:
            raise
        start_and_finish(
            state,
            lambda: resume.resume(state, session, text, SessionOptions(), ctx.obj["umask"], awaited=True),
            AttachOptions(wait=wait, follow=False, as_json=as_json, quiet=False),
        )
        return
    wait_for = send.wait_until_answered if wait else send.wait_until_acknowledged
    current = wait_for(state, sent, timeout)
    if as_json:
        output.print_json(message_object(current))
    elif wait:
        output.print_data(output.escape_at_terminal(current.answer or ""))
    else:
        output.print_data(current.id)
