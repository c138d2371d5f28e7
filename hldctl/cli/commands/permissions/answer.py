"""`hldctl answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import elsewhere, output
from hldctl.cli.click_classes import command_name
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.views import answer_requests
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.permission_hook.request_object import request_object
from hldctl.sessions.permissions import question_answers


def command(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="Request id, or a prefix of it.")],
    choices: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHOICE…]",
            help="The number or label of a choice, several for a multiple choice, or any other text.",
        ),
    ] = None,
    numbered: Annotated[
        list[str] | None,
        typer.Option(
            "--question",
            metavar="N=CHOICE",
            help="The answer to question N of a request that asks several; repeat it for more choices.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answered request as JSON.")] = False,
) -> None:
    """Answer a question of the model.

    Without a choice, at a terminal, it is asked there.
    """
    state = StateDirectory.from_environment()
    by_number = _by_number(numbered or ())
    if not choices and not by_number:
        if as_json or not is_interactive():
            raise BadUsage(f"Give a choice; `hldctl approvals {request}` shows the question.")
        with elsewhere.request_view(None, [request], answered_too=False) as view:
            answer_requests.ask_in_place(view.state, request)
        return
    answered = question_answers.answer_question(state, request, choices or (), by_number, command_name())
    if as_json:
        output.print_json(request_object(answered))
    else:
        answer_requests.print_answered_question(state, answered)


def _by_number(texts: list[str] | tuple[()]) -> dict[int, list[str]]:
    """Return the choices by the number of their question; raise BadUsage for anything else."""
    choices: dict[int, list[str]] = {}
    for text in texts:
        number, separator, choice = text.partition("=")
        if not separator or not number.strip().isdecimal():
            raise BadUsage(f"{text!r} is not N=CHOICE; write --question 2=1 for the first choice of question 2.")
        choices.setdefault(int(number), []).append(choice)
    return choices
