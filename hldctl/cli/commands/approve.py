"""`hldctl approve`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from hldctl.cli.views import answer_requests
from hldctl.sessions.permissions.answers import Answer


def changed_input(text: str) -> dict[str, Any]:
    """For typer's `parser`."""
    try:
        # What is no number in JSON would be none for Claude Code either.
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"it is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise typer.BadParameter("it must be a JSON object, as the tool takes it.")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number in JSON")


def command(
    approval: answer_requests.Approval = None,
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="For the record.")] = None,
    tool_input: Annotated[
        Any, typer.Option("--input", parser=changed_input, metavar="JSON", help="Run the tool with this input instead.")
    ] = None,
    always: Annotated[
        bool,
        typer.Option(
            "--always",
            help="And from now on in this session: this command, page or edit, or those like it; it prints the rule.",
        ),
    ] = False,
    all_of_them: answer_requests.AllOfThem = False,
    session: answer_requests.OfSession = None,
    tool: answer_requests.OfTool = None,
) -> None:
    """Allow what waits for permission.

    Without an id, on a terminal, it goes through what waits, one request after another.
    """
    said = Answer(allows=True, comment=comment, updated_input=tool_input, always=always)
    answer_requests.answer(said, approval, all_of_them=all_of_them, session=session, tool=tool)
