"""What `launch` and `continue` both take."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from hldctl.errors import BadUsage


def dollars(text: str) -> float:
    """An amount that can be spent; for typer's `parser`."""
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise typer.BadParameter(f"{text!r} is no amount of dollars; write 5 or 0.50.")
    return amount


Title = Annotated[str | None, typer.Option(metavar="TITLE", help="A title, for lists.")]
WorkingDir = Annotated[str | None, typer.Option("--working-dir", "-C", metavar="DIR", help="Where Claude Code works.")]
CreateDir = Annotated[bool, typer.Option("--create-dir", help="Make the working directory if it is missing.")]
Model = Annotated[str | None, typer.Option(metavar="MODEL", help="A model: opus, sonnet, haiku, or a full id.")]
AddDir = Annotated[list[str] | None, typer.Option("--add-dir", metavar="DIR", help="One more directory for its tools.")]
MaxTurns = Annotated[int | None, typer.Option(min=1, max=2**31, metavar="N", help="End after so many turns.")]
MaxBudget = Annotated[
    float | None, typer.Option("--max-budget-usd", parser=dollars, metavar="USD", help="End when so much is spent.")
]
SystemPrompt = Annotated[str | None, typer.Option(metavar="TEXT", help="In place of Claude Code's own system prompt.")]
AppendSystemPrompt = Annotated[str | None, typer.Option(metavar="TEXT", help="Added to the system prompt.")]
CustomInstructions = Annotated[str | None, typer.Option(metavar="TEXT", help="More to add to the system prompt.")]
AllowedTools = Annotated[
    list[str] | None, typer.Option("--allowed-tools", metavar="TOOL", help="A tool that needs no permission.")
]
DisallowedTools = Annotated[
    list[str] | None, typer.Option("--disallowed-tools", metavar="TOOL", help="A tool that may not be used.")
]
PermissionMode = Annotated[
    str | None,
    typer.Option(metavar="MODE", help="Claude Code's permission mode: default, acceptEdits, plan, bypassPermissions…"),
]
PermissionPromptTool = Annotated[
    str | None, typer.Option(metavar="TOOL", help="An MCP tool of yours that answers permission requests.")
]
McpConfig = Annotated[str | None, typer.Option(metavar="FILE|JSON", help="MCP servers.")]
Settings = Annotated[str | None, typer.Option("--settings", metavar="FILE|JSON", help="Claude Code settings.")]
Env = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME[=VALUE]", help="A variable; continuations inherit it.")
]
QueryFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Read the query from a file.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end and print the result, as `claude -p` does.")]
Follow = Annotated[bool, typer.Option("--follow", help="Print the conversation until the end.")]
Json = Annotated[bool, typer.Option("--json", help="Print the session as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the id, or the result.")]


def as_tuple(values: list[str] | None) -> tuple[str, ...] | None:
    """None stays what it is: nothing was said."""
    return tuple(values) if values else None


def tools(values: list[str] | None) -> tuple[str, ...] | None:
    """Each value may name several, separated by commas outside of parentheses."""
    return as_tuple([tool for value in values or [] for tool in _split(value)])


def _split(value: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for character in value:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in [*parts, current] if part.strip()]


def query_and_rest(ctx: typer.Context, query: str | None, file: Path | None) -> tuple[str, tuple[str, ...]]:
    """The query from wherever it comes, and what is for Claude Code itself."""
    rest: tuple[str, ...] = ctx.meta.get("rest", ())
    if file is not None:
        if query is not None:
            raise BadUsage("Give the query either as a word or by --query-file.")
        return _from_file(file), rest
    if query is None and rest:
        query, rest = rest[0], rest[1:]
    if query is None and sys.stdin is not None and sys.stdin.isatty():
        raise BadUsage("There is no query; give it as a word, by --query-file, or on standard input.")
    return (_from_input() if query in (None, "-") else query), rest


def _from_file(file: Path) -> str:
    try:
        return file.expanduser().read_bytes().decode("utf-8", "replace")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUsage(f"--query-file {file} cannot be read: {reason}.") from None


def _from_input() -> str:
    if sys.stdin is None:
        raise BadUsage("There is no query, and standard input is closed.")
    return sys.stdin.buffer.read().decode("utf-8", "replace")
