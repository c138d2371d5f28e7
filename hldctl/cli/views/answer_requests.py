"""The shared part of `approve` and `deny`: select requests, and ask about them one by one."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated

import typer

from hldctl.cli import output
from hldctl.cli.click_classes import command_name
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import answers, requests, rules
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


def _note_rule(state: StateDirectory, request: Request) -> None:
    """Print the rule that `--always` added, and the command that removes it."""
    rule = answers.lasting_rule(state, request)
    output.print_note(f"always allowed from now on: {output.truncate(rule.description(), _MAX_RULE_LENGTH)}")
    output.print_note(f"hldctl set {request.session_id[:8]} --forget-rule {rules.rule_id(rule)} removes this rule")


def _answer_one_by_one(state: StateDirectory) -> None:
    """Ask about the requests that are pending now, one after another."""
    from hldctl.sessions.supervisors import POLL_SECONDS
    from hldctl.store.database import open_database
    from hldctl.system.watcher import Wakeup

    answers.require_right_to_answer(state)
    pending = answers.list_requests(state)
    if not pending:
        output.print_note("no pending permission requests")
        return
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
