"""`hldctl launch`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import options
from hldctl.cli.afterwards import Afterwards, start_and_finish
from hldctl.cli.app import CommandWithRest
from hldctl.host.paths import StateDirectory
from hldctl.sessions import launching
from hldctl.sessions.options import SessionOptions

COMMAND_CLASS = CommandWithRest


def command(
    ctx: typer.Context,
    query: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="What Claude Code should do; `-` or nothing reads standard input."),
    ] = None,
    title: options.Title = None,
    working_dir: options.WorkingDir = None,
    create_dir: options.CreateDir = False,
    model: options.Model = None,
    add_dir: options.AddDir = None,
    max_turns: options.MaxTurns = None,
    max_budget_usd: options.MaxBudget = None,
    system_prompt: options.SystemPrompt = None,
    append_system_prompt: options.AppendSystemPrompt = None,
    custom_instructions: options.CustomInstructions = None,
    allowed_tools: options.AllowedTools = None,
    disallowed_tools: options.DisallowedTools = None,
    permission_mode: options.PermissionMode = None,
    permission_prompt_tool: options.PermissionPromptTool = None,
    mcp_config: options.McpConfig = None,
    settings: options.Settings = None,
    env: options.Env = None,
    query_file: options.QueryFile = None,
    wait: options.Wait = False,
    follow: options.Follow = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Start a session and print its id, once Claude Code runs.

    What stands behind QUERY and `--` goes to Claude Code as it is.
    """
    what = Afterwards(wait, follow, as_json, quiet)
    text, rest = options.query_and_rest(ctx, query, query_file)
    chosen = SessionOptions(
        title=title,
        working_dir=working_dir,
        create_dir=create_dir,
        model=model,
        additional_directories=options.as_tuple(add_dir),
        max_turns=max_turns,
        max_budget_usd=max_budget_usd,
        system_prompt=system_prompt,
        append_system_prompt=append_system_prompt,
        custom_instructions=custom_instructions,
        permission_mode=permission_mode,
        permission_prompt_tool=permission_prompt_tool,
        allowed_tools=options.tools(allowed_tools),
        disallowed_tools=options.tools(disallowed_tools),
        extra_arguments=rest or None,
        mcp_config=mcp_config,
        claude_settings=settings,
        environment=options.as_tuple(env),
    )
    state = StateDirectory.from_environment()
    start_and_finish(state, lambda: launching.launch(state, text, chosen, ctx.obj["umask"]), what)
