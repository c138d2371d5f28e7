"""`hldctl approve`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from hldctl.cli.views import answer_requests
from hldctl.sessions.permissions.answers import Decision


def parse_tool_input(text: str) -> dict[str, Any]:
    """Parse a JSON object, for typer's `parser`; raise BadParameter if the text is something else."""
    try:
        # Reject NaN and Infinity, which Python accepts: they are not valid JSON, and Claude Code would reject them.
        value = json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise typer.BadParameter("must be a JSON object: the input of the tool.")
    return value


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def command(
    approval: answer_requests.RequestArgument = None,
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="A comment, stored with the answer.")] = None,
    tool_input: Annotated[
        Any,
        typer.Option("--input", parser=parse_tool_input, metavar="JSON", help="Run the tool with this input instead."),
    ] = None,
    always: Annotated[
        bool,
        typer.Option(
            "--always",
            help="Also allow this or similar calls for the rest of the session; print the rule.",
        ),
    ] = False,
    all_of_them: answer_requests.AllOption = False,
    session: answer_requests.SessionOption = None,
    tool: answer_requests.ToolOption = None,
) -> None:
    """Allow pending permission requests.

    Without an id, at a terminal, go through the pending requests one by one.
    """
    decision = Decision(allows=True, comment=comment, updated_input=tool_input, always=always)
    answer_requests.answer(decision, approval, all_of_them=all_of_them, session=session, tool=tool)
