"""`hldctl launch`."""

from __future__ import annotations

import typer

from hldctl.cli import options
from hldctl.cli.afterwards import start_and_finish
from hldctl.cli.command import CommandWithRest
from hldctl.cli.query import Query, is_attended, query_and_rest
from hldctl.host.paths import StateDirectory
from hldctl.sessions import launching

COMMAND_CLASS = CommandWithRest


@options.takes_session_options
def command(
    ctx: typer.Context,
    query: Query = None,
    *,
    said: options.Said,
) -> None:
    """Start a session and print its id, once Claude Code runs.

    What stands behind QUERY and `--` goes to Claude Code as it is.
    """
    text, rest = query_and_rest(ctx, query, said.query_file)
    chosen = said.session_options(rest)
    state = StateDirectory.from_environment()
    attended = is_attended()
    start_and_finish(
        state, lambda: launching.launch(state, text, chosen, ctx.obj["umask"], attended=attended), said.afterwards
    )
