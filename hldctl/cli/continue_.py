"""`hldctl continue`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import options
from hldctl.cli.afterwards import start_and_finish
from hldctl.cli.command import CommandWithRest
from hldctl.cli.query import Query, query_and_rest
from hldctl.host.paths import StateDirectory
from hldctl.sessions import continuing

COMMAND_CLASS = CommandWithRest


@options.takes_session_options
def command(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="ID", help="The session whose conversation goes on.")],
    query: Query = None,
    *,
    said: options.Said,
) -> None:
    """Start a session that goes on with another's conversation, and print its id.

    It has the other's settings, but for --max-turns and those given here. A session that still runs is interrupted
    first.
    """
    text, rest = query_and_rest(ctx, query, said.query_file)
    chosen = said.session_options(rest)
    state = StateDirectory.from_environment()
    start_and_finish(state, lambda: continuing.resume(state, session, text, chosen, ctx.obj["umask"]), said.afterwards)
