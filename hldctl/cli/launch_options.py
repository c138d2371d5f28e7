"""What `launch` and `continue` both take, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from hldctl.cli.launch_params import approval_timeout, as_tuple, dollars, limit_or_none, tools
from hldctl.cli.params import bounded_int, seconds
from hldctl.cli.terminal import rich_console
from hldctl.config.schema import MOST_RETRIES
from hldctl.config.values import ApprovalTimeout
from hldctl.errors import BadUsage
from hldctl.sessions.options import SessionOptions
from hldctl.states import IfRunning

AutoAcceptEdits = Annotated[
    bool | None,
    typer.Option(
        "--auto-accept-edits/--no-auto-accept-edits", help="Allow edits of the project's plain files unasked."
    ),
]
SkipPermissions = Annotated[
    bool | None,
    typer.Option("--dangerously-skip-permissions/--no-dangerously-skip-permissions", help="Allow everything unasked."),
]
SkipTimeout = Annotated[
    float | None,
    typer.Option(
        "--dangerously-skip-permissions-timeout",
        parser=seconds,
        metavar="DURATION",
        help="Allow everything unasked for so long.",
    ),
]


@dataclass(frozen=True)
class AttachOptions:
    wait: bool
    follow: bool
    as_json: bool
    quiet: bool

    def __post_init__(self) -> None:
        if self.follow and self.as_json and self.wait:
            raise BadUsage("--follow prints events and --wait --json the session; choose one of them.")

    @property
    def is_drawn(self) -> bool:
        return self.follow and not self.as_json and rich_console.is_drawn()


@dataclass(frozen=True)
class Said:
    """What the options say; each field is one."""

    title: Annotated[str | None, typer.Option(metavar="TITLE", help="A title, for lists.")] = None
    working_dir: Annotated[
        str | None, typer.Option("--working-dir", "-C", metavar="DIR", help="Where Claude Code works.")
    ] = None
    create_dir: Annotated[bool, typer.Option("--create-dir", help="Make the working directory if it is missing.")] = (
        False
    )
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="A model: opus, sonnet, haiku, or a full id.")] = (
        None
    )
    add_dir: Annotated[
        list[str] | None, typer.Option("--add-dir", metavar="DIR", help="One more directory for its tools.")
    ] = None
    max_turns: Annotated[
        int | None, typer.Option(parser=bounded_int(1, 2**31), metavar="N", help="End after so many turns.")
    ] = None
    max_budget_usd: Annotated[
        float | None,
        typer.Option("--max-budget-usd", parser=dollars, metavar="USD", help="End when so much is spent."),
    ] = None
    system_prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="In place of Claude Code's own system prompt.")
    ] = None
    append_system_prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="Added to the system prompt.")] = None
    custom_instructions: Annotated[
        str | None, typer.Option(metavar="TEXT", help="More to add to the system prompt.")
    ] = None
    allowed_tools: Annotated[
        list[str] | None, typer.Option("--allowed-tools", metavar="TOOL", help="A tool that needs no permission.")
    ] = None
    disallowed_tools: Annotated[
        list[str] | None, typer.Option("--disallowed-tools", metavar="TOOL", help="A tool that may not be used.")
    ] = None
    permission_mode: Annotated[
        str | None, typer.Option(metavar="MODE", help="Claude Code's: default, acceptEdits, plan, bypassPermissions…")
    ] = None
    permission_prompt_tool: Annotated[
        str | None, typer.Option(metavar="TOOL", help="An MCP tool of yours that answers permission requests.")
    ] = None
    mcp_config: Annotated[str | None, typer.Option(metavar="FILE|JSON", help="MCP servers.")] = None
    settings: Annotated[str | None, typer.Option("--settings", metavar="FILE|JSON", help="Claude Code settings.")] = (
        None
    )
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME[=VALUE]", help="A variable; continuations inherit it.")
    ] = None
    approvals: Annotated[
        bool | None,
        typer.Option(
            "--approvals/--no-approvals",
            help="Ask for each permission by `hldctl approvals`, or let Claude Code decide. Default: at a terminal.",
        ),
    ] = None
    auto_accept_edits: AutoAcceptEdits = None
    skip: SkipPermissions = None
    skip_timeout: SkipTimeout = None
    approval_timeout: Annotated[
        ApprovalTimeout | None,
        typer.Option(
            parser=approval_timeout,
            metavar="DURATION=deny|allow",
            help="What becomes of a request that nobody answers.",
        ),
    ] = None
    on_approval: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Run for each request, which it gets as JSON on standard input."),
    ] = None
    from_session: Annotated[
        bool | None,
        typer.Option(
            "--from-session/--no-from-session",
            help="Let the session answer permission requests and widen permissions.",
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(parser=limit_or_none, metavar="DURATION", help="Stop it when it has not ended by then."),
    ] = None
    idle_timeout: Annotated[
        float | None,
        typer.Option(parser=limit_or_none, metavar="DURATION", help="Stop it when nothing has happened for so long."),
    ] = None
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="A name for commands; one session at a time runs with it.")
    ] = None
    if_running: Annotated[
        IfRunning | None, typer.Option(help="What to do if a session of that name runs already. Default: fail.")
    ] = None
    group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take one of the slots that the configuration gives this group.")
    ] = None
    retries: Annotated[
        int | None,
        typer.Option(
            parser=bounded_int(0, MOST_RETRIES),
            metavar="N",
            help="After an API error or a crash go on, up to so many times; 1000 at most.",
        ),
    ] = None
    wait_for_reset: Annotated[
        bool | None,
        typer.Option("--wait-for-reset/--no-wait-for-reset", help="Go on when a rate limit has been reset."),
    ] = None
    fail_on_denial: Annotated[
        bool | None,
        typer.Option("--fail-on-denial/--no-fail-on-denial", help="Take it as failed if a tool call was denied."),
    ] = None
    on_end: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Run once it has ended; gets the session as JSON on standard input."),
    ] = None
    rehearse: Annotated[
        str | None, typer.Option(metavar="SCRIPT", help="Play a script in place of the model: no account, no cost.")
    ] = None
    query_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Read the query from a file.")] = None
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end and print the result, as `claude -p` does.")
    ] = False
    follow: Annotated[bool, typer.Option("--follow", help="Print the conversation until the end.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="Print the session as JSON.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the id, or the result.")] = False

    @property
    def afterwards(self) -> AttachOptions:
        return AttachOptions(self.wait, self.follow, self.as_json, self.quiet)

    def session_options(self, rest: tuple[str, ...]) -> SessionOptions:
        """For the sessions' layer; `rest` is what goes to Claude Code as it is."""
        return SessionOptions(
            title=self.title,
            working_dir=self.working_dir,
            create_dir=self.create_dir,
            model=self.model,
            additional_directories=as_tuple(self.add_dir),
            max_turns=self.max_turns,
            max_budget_usd=self.max_budget_usd,
            system_prompt=self.system_prompt,
            append_system_prompt=self.append_system_prompt,
            custom_instructions=self.custom_instructions,
            permission_mode=self.permission_mode,
            permission_prompt_tool=self.permission_prompt_tool,
            allowed_tools=tools(self.allowed_tools),
            disallowed_tools=tools(self.disallowed_tools),
            extra_arguments=rest or None,
            mcp_config=self.mcp_config,
            claude_settings=self.settings,
            environment=as_tuple(self.env),
            approvals=self.approvals,
            auto_accept_edits=self.auto_accept_edits,
            dangerously_skip_permissions=self.skip,
            skipping_seconds=self.skip_timeout,
            approval_timeout=self.approval_timeout,
            on_approval=self.on_approval,
            from_session=self.from_session,
            timeout=self.timeout,
            idle_timeout=self.idle_timeout,
            name=self.name,
            if_running=self.if_running,
            group=self.group,
            retries=self.retries,
            wait_for_reset=self.wait_for_reset,
            fail_on_denial=self.fail_on_denial,
            on_end=self.on_end,
            rehearse=self.rehearse,
        )


def takes_session_options(function: Callable[..., None]) -> Callable[..., None]:
    """The command with these options behind its own arguments; what they say reaches `function` as `said`."""
    own = [parameter for parameter in _parameters(function) if parameter.name != "said"]
    hints = get_type_hints(Said, include_extras=True)
    said = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(Said)
    ]

    def command(**values: Any) -> None:
        chosen = Said(**{parameter.name: values.pop(parameter.name) for parameter in said})
        function(**values, said=chosen)

    command.__doc__ = function.__doc__
    # Both are what typer reads.
    command.__signature__ = inspect.Signature([*own, *said])  # type: ignore[attr-defined]  # a convention of inspect
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *said]}
    return command


def _parameters(function: Callable[..., None]) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())
