"""What `approve` and `deny` share: which requests are meant, and going through them one by one."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated

import typer

from hldctl.cli import output
from hldctl.cli.click_classes import command_name
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import left_by_signal
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import answers, requests, rules
from hldctl.sessions.permissions.answers import Answer
from hldctl.store.approvals import Approval as Request

if TYPE_CHECKING:
    from hldctl.cli.views.approval_prompt import Asker

Approval = Annotated[str | None, typer.Argument(metavar="APPROVAL", help="The request: its id, or a prefix of it.")]
AllOfThem = Annotated[bool, typer.Option("--all", help="All that wait.")]
OfSession = Annotated[
    str | None,
    typer.Option("--session", metavar="ID", help="The only request of this session, or with --all all of them."),
]
OfTool = Annotated[str | None, typer.Option("--tool", metavar="NAME", help="With --all: only for this tool.")]

_WIDEST_RULE = 500
"""Characters of a rule that are printed: the call, whose input it may be, has been shown."""


def answer(said: Answer, words: str | None, *, all_of_them: bool, session: str | None, tool: str | None) -> None:
    """Answers what the command's words name, and prints the ids; raises BadUsage where they name nothing."""
    state = StateDirectory.from_environment()
    if tool is not None and not all_of_them:
        raise BadUsage("--tool goes with --all.")
    if session is not None and words is not None:
        raise BadUsage("--session is for requests that are not named; leave out one of them.")
    if all_of_them and (words is not None or said.updated_input is not None):
        raise BadUsage("--all goes neither with the id of one request nor with an input for one.")
    if said.always and said.updated_input is not None:
        raise BadUsage("--always is about what was asked, --input about something else; say one of them.")
    if all_of_them:
        answered = answers.answer_all(state, said, command_name(), session=session, tool_name=tool)
        for request in answered:
            _print_answered(state, request, said)
        if not answered:
            output.note("nothing of that kind waits for permission")
    elif session is not None:
        request_id = requests.only_one_of(state, session)
        _print_answered(state, answers.answer(state, request_id, said, command_name()), said)
    elif words is not None:
        _print_answered(state, answers.answer(state, words, said, command_name()), said)
    elif not is_interactive():
        raise BadUsage("Name the request to answer, or say --all; `hldctl approvals` shows what waits.")
    elif said not in (Answer(allows=True), Answer(allows=False)):
        raise BadUsage("Name the request that this is about; without an id each is asked about.")
    else:
        _go_through(state)


def _print_answered(state: StateDirectory, answered: Request, said: Answer) -> None:
    """Print the id for scripts, and for people what was allowed, whole."""
    # Only what answers needs to know of rules.
    from hldctl.cli.render import permission_request

    output.data(answered.id)
    if said.allows:
        output.note(
            f"allowed in session {answered.session_id[:8]}: "
            f"{permission_request.in_one_line(answered, said.updated_input)}"
        )
        if said.always:
            _note_rule(state, answered)


def _note_rule(state: StateDirectory, request: Request) -> None:
    """Print the rule that `--always` made, and how to take it back."""
    rule = answers.lasting_rule(state, request)
    output.note(f"always allowed from now on: {output.shortened(rule.words(), _WIDEST_RULE)}")
    output.note(f"hldctl set {request.session_id[:8]} --forget-rule {rules.rule_id(rule)} takes that back")


def _go_through(state: StateDirectory) -> None:
    """Ask about what waits now, one request after another."""
    from hldctl.sessions.wait import LOOK_SECONDS
    from hldctl.store.database import opened
    from hldctl.system.watcher import Wakeup

    answers.require_right(state)
    waiting = answers.listed(state)
    if not waiting:
        output.note("nothing waits for permission")
        return
    files = {path for request in waiting if (path := state.session(request.session_id).change_signal).exists()}
    with (
        left_by_signal(),
        opened(state),
        closing(Wakeup(files, descriptors=[sys.stdin.fileno()])) as wakeup,
        ExitStack() as stack,
    ):
        asker = _asker(state, stack)
        for request in waiting:
            asker.take(request)
        while asker.step():
            wakeup.wait(LOOK_SECONDS)
            asker.drop_resolved({request.id for request in answers.listed(state)})


def _asker(state: StateDirectory, stack: ExitStack) -> Asker:
    from hldctl.cli.views.approval_prompt import Asker

    if not rich_console.is_drawn():
        from hldctl.cli.views.approval_prompt_plain import PlainSurface

        return stack.enter_context(Asker(state, PlainSurface()))
    from hldctl.cli.views.approval_prompt_rich import DrawnSurface, live_line

    console = rich_console.console()
    live = stack.enter_context(live_line(console))
    asker = stack.enter_context(Asker(state, DrawnSurface(state, console, live)))
    live.while_stopped = asker.stopped
    return asker
