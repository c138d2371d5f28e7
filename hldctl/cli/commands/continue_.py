"""`hldctl continue`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import launch_options
from hldctl.cli.click_classes import CommandWithRest
from hldctl.cli.launch_params import Query, query_and_rest
from hldctl.cli.standard_streams import is_attended
from hldctl.cli.views.attach import start_and_finish
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import resume

COMMAND_CLASS = CommandWithRest


@launch_options.add_session_options
def command(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to continue.")],
    query: Query = None,
    *,
    options: launch_options.LaunchOptions,
) -> None:
    """Start a session that continues another, and print its id.

    It continues the conversation and inherits the settings of the other session, except --max-turns and the options
    given here. If the other session is still running, it is interrupted first.
    """
    if query is None and options.query_file is None and not ctx.meta.get("rest") and len(session.split()) > 1:
        raise BadUsage('The ID of the session to continue is missing, as in: hldctl continue last "…".')
    text, rest = query_and_rest(ctx, query, options.query_file, quiet=options.attach.quiet)
    chosen = options.session_options(rest)
    state = StateDirectory.from_environment()
    awaited = is_attended() or options.attach.is_attached
    start_and_finish(
        state,
        lambda: resume.resume(
            state, session, text, chosen, ctx.obj["umask"], awaited=awaited, session_id=options.session_id
        ),
        options.attach,
        delivers=options.session_id is not None,
    )
