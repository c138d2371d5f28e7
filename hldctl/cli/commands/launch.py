"""`hldctl launch`."""

from __future__ import annotations

import typer

from hldctl.cli import launch_options, output
from hldctl.cli.click_classes import CommandWithRest
from hldctl.cli.launch_params import Query, query_and_rest
from hldctl.cli.standard_streams import is_attended
from hldctl.cli.views.attach import start_and_finish
from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory
from hldctl.sessions import launch

COMMAND_CLASS = CommandWithRest


@launch_options.add_session_options
def command(
    ctx: typer.Context,
    query: Query = None,
    *,
    options: launch_options.LaunchOptions,
) -> None:
    """Start a session, and print its id once Claude Code is running.

    Arguments after `--` are passed to Claude Code unchanged.
    """
    text, rest = query_and_rest(ctx, query, options.query_file, quiet=options.attach.quiet)
    chosen = options.session_options(rest)
    state = StateDirectory.from_environment()
    attended = is_attended()
    awaited = options.attach.is_attached

    def start() -> launch.LaunchResult:
        try:
            return launch.launch(
                state,
                text,
                chosen,
                ctx.obj["umask"],
                attended=attended,
                awaited=awaited,
                session_id=options.session_id,
            )
        except HldctlError as error:
            for line in getattr(error, "setup_output", "").splitlines():
                output.print_note(f"setup: {output.escape_control_chars(line)}")
            raise

    start_and_finish(state, start, options.attach)
