"""The shared part of `approve` and `deny`: select requests, and ask about them one by one."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated

import typer

from hldctl.claude import permission_hook
from hldctl.cli import output
from hldctl.cli.click_classes import command_name
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import answers, question_answers, requests, rules
from hldctl.sessions.permissions.answers import Decision
from hldctl.store.approvals import Approval as Request

if TYPE_CHECKING:
    from hldctl.cli.views.approval_prompt import Asker

RequestArgument = Annotated[str | None, typer.Argument(metavar="APPROVAL", help="Request id, or a prefix of it.")]
AllOption = Annotated[bool, typer.Option("--all", help="Answer all pending requests.")]
SessionOption = Annotated[
    str | None,
    typer.Option("--session", metavar="ID", help="The only request of this session; with --all, all of them."),
]
ToolOption = Annotated[
    str | None, typer.Option("--tool", metavar="NAME", help="With --all: only requests for this tool.")
]

# Characters of a rule that are printed. A rule may hold the input of the call, which was printed before.
_MAX_RULE_LENGTH = 500


def answer(decision: Decision, ref: str | None, *, all_of_them: bool, session: str | None, tool: str | None) -> None:
    """Answer the requests that the arguments select, and print their ids. Raise BadUsage if they select none."""
    state = StateDirectory.from_environment()
    if tool is not None and not all_of_them:
        raise BadUsage("--tool only works with --all.")
    if session is not None and ref is not None:
        raise BadUsage("Use either a request id or --session, not both.")
    if all_of_them and (ref is not None or decision.updated_input is not None):
        raise BadUsage("--all cannot be combined with a request id or with --input.")
    if decision.always and decision.updated_input is not None:
        raise BadUsage("Use either --always or --input, not both.")
    if all_of_them:
        answered = answers.answer_all(state, decision, command_name(), session=session, tool_name=tool)
        for request in answered:
            _print_answered(state, request, decision)
        if not answered:
            output.print_note("no pending request matches")
        if decision.allows and tool is None:
            _note_questions(state, session)
    elif session is not None:
        request_id = requests.only_pending_request(state, session)
        _print_answered(state, answers.answer_request(state, request_id, decision, command_name()), decision)
    elif ref is not None:
        _print_answered(state, answers.answer_request(state, ref, decision, command_name()), decision)
    elif not is_interactive():
        raise BadUsage("Give the id of a request, or --all; `hldctl approvals` lists the pending requests.")
    elif decision not in (Decision(allows=True), Decision(allows=False)):
        raise BadUsage("These options need the id of a request; without an id, hldctl asks about each request.")
    else:
        _answer_one_by_one(state)


def _print_answered(state: StateDirectory, request: Request, decision: Decision) -> None:
    """Print the id to standard output, and the whole call that was allowed or denied to standard error."""
    # Imported here: only an answer needs them.
    from hldctl.cli.render.requests import permission_answer
    from hldctl.store import sessions
    from hldctl.store.database import open_for_reading

    with open_for_reading(state):
        session = sessions.get(request.session_id)
    output.print_data(request.id)
    output.print_note(permission_answer.note(request, session, decision.updated_input))
    if decision.always:
        _note_rule(state, request)


def print_answered_question(state: StateDirectory, request: Request) -> None:
    """Print the id to standard output, and the questions with their answers to standard error."""
    updated_input = permission_hook.updated_input(json.loads(request.answer or "{}"))
    _print_answered(state, request, Decision(allows=True, updated_input=updated_input))


def _note_questions(state: StateDirectory, session: str | None) -> None:
    """Print how to answer the questions that `approve --all` has left pending."""
    for request in answers.pending_questions(state, session):
        output.print_note(f"left pending: a question; hldctl answer {request.id[:8]} CHOICE answers it")


def _note_rule(state: StateDirectory, request: Request) -> None:
    """Print the rule that `--always` added, and the command that removes it."""
    rule = answers.lasting_rule(state, request)
    output.print_note(f"always allowed from now on: {output.truncate(rule.description(), _MAX_RULE_LENGTH)}")
    output.print_note(f"hldctl set {request.session_id[:8]} --forget-rule {rules.rule_id(rule)} removes this rule")


def ask_in_place(state: StateDirectory, ref: str) -> None:
    """Ask the questions of a request at the terminal."""
    from hldctl.store.database import open_database

    with open_database(state):
        request = answers.find_pending(state, ref)
    question_answers.require_question(request)
    _ask(state, [request])


def _answer_one_by_one(state: StateDirectory) -> None:
    """Ask about the requests that are pending now, one after another."""
    answers.require_right_to_answer(state)
    pending = answers.list_requests(state)
    if not pending:
        output.print_note("no pending permission requests")
        return
    _ask(state, pending)


def _ask(state: StateDirectory, pending: Sequence[Request]) -> None:
    from hldctl.sessions.supervisors import POLL_SECONDS
    from hldctl.store.database import open_database
    from hldctl.system.watcher import Wakeup

    files = {path for request in pending if (path := state.session(request.session_id).change_signal).exists()}
    with (
        exit_on_signal(),
        open_database(state),
        closing(Wakeup(files, descriptors=[sys.stdin.fileno()])) as wakeup,
        ExitStack() as stack,
    ):
        asker = _asker(state, stack)
        for request in pending:
            asker.enqueue(request)
        while asker.step():
            wakeup.wait(POLL_SECONDS)
            asker.drop_resolved({request.id for request in answers.list_requests(state)})


def _asker(state: StateDirectory, stack: ExitStack) -> Asker:
    from hldctl.cli.views.approval_prompt import Asker

    if not rich_console.can_draw():
        from hldctl.cli.views.approval_prompt_plain import PlainSurface

        return stack.enter_context(Asker(state, PlainSurface()))
    from hldctl.cli.views.approval_prompt_rich import LiveSurface, live_line

    console = rich_console.console()
    live = stack.enter_context(live_line(console))
    asker = stack.enter_context(Asker(state, LiveSurface(console, live)))
    live.stop_context = asker.stop_context
    return asker
