"""`hldctl launch`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import launch_options, output
from hldctl.cli.click_classes import CommandWithRest
from hldctl.cli.launch_params import Query, query_and_rest
from hldctl.cli.standard_streams import is_attended
from hldctl.cli.views.attach import start_and_finish
from hldctl.engines.engine import EngineName
from hldctl.errors import BadUsage, HldctlError
from hldctl.paths import StateDirectory
from hldctl.sessions import launch
from hldctl.settings.option import Section

COMMAND_CLASS = CommandWithRest


@launch_options.add_session_options
def command(
    ctx: typer.Context,
    query: Query = None,
    on: Annotated[
        EngineName | None,
        typer.Option(
            "--on",
            metavar="ENGINE",
            help="Let this engine choose the machine: slurm. Needs a fleet, see `hldctl fleet`.",
            rich_help_panel=Section.UNATTENDED,
        ),
    ] = None,
    engine_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTION",
            help="Option for the engine's own command, written after an equals sign.",
            rich_help_panel=Section.UNATTENDED,
        ),
    ] = None,
    *,
    options: launch_options.LaunchOptions,
) -> None:
    """Start a session, and print its id once Claude Code is running.

    Arguments after `--` are passed to Claude Code unchanged.
    """
    text, rest = query_and_rest(ctx, query, options.query_file, quiet=options.attach.quiet)
    if on is not None:
        # Imported here: most sessions run where they are launched.
        from hldctl.cli.placing import launch as placing

        placing.run(ctx.obj["words"], text, rest, options, on, engine_option or ())
        return
    if engine_option:
        raise BadUsage("--engine-option is for the engine of --on, which is missing.")
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

    start_and_finish(state, start, options.attach, delivers=options.session_id is not None)
