"""What `approve` and `deny` share: which requests are meant, and going through them one by one."""

from __future__ import annotations

import difflib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer._click.globals import get_current_context

from hldctl.claude import permission
from hldctl.cli import output
from hldctl.cli.leaving import left_by_signal
from hldctl.errors import BadUsage, WrongState
from hldctl.host.paths import StateDirectory
from hldctl.sessions import approving, rules
from hldctl.sessions.approving import Answer
from hldctl.store.approvals import Approval as Request

Approval = Annotated[str | None, typer.Argument(metavar="APPROVAL", help="The request: its id, or a prefix of it.")]
AllOfThem = Annotated[bool, typer.Option("--all", help="All that wait.")]
OfSession = Annotated[str | None, typer.Option("--session", metavar="ID", help="With --all: only of this session.")]
OfTool = Annotated[str | None, typer.Option("--tool", metavar="NAME", help="With --all: only for this tool.")]

_WIDEST_RULE = 500
"""Characters of a rule that are printed: the call, whose input it may be, has been shown."""
_QUESTION = "Allow? [y]es, [n]o, [e]dit, [a]lways, [q]uit"


def answer(said: Answer, words: str | None, *, all_of_them: bool, session: str | None, tool: str | None) -> None:
    """Answers what the command's words name, and prints the ids; raises BadUsage where they name nothing."""
    state = StateDirectory.from_environment()
    if not all_of_them and (session is not None or tool is not None):
        raise BadUsage("--session and --tool go with --all.")
    if all_of_them and (words is not None or said.updated_input is not None):
        raise BadUsage("--all goes neither with the id of one request nor with an input for one.")
    if said.always and said.updated_input is not None:
        raise BadUsage("--always is about what was asked, --input about something else; say one of them.")
    if all_of_them:
        answered = approving.answer_all(state, said, _command(), session=session, tool_name=tool)
        for request in answered:
            output.data(request.id)
            _note_rule(state, request, said)
        if not answered:
            output.note("nothing of that kind waits for permission")
    elif words is not None:
        request = approving.answer(state, words, said, _command())
        output.data(request.id)
        _note_rule(state, request, said)
    elif not can_ask():
        raise BadUsage("Name the request to answer, or say --all; `hldctl approvals` shows what waits.")
    elif said not in (Answer(allows=True), Answer(allows=False)):
        raise BadUsage("Name the request that this is about; without an id each is asked about.")
    else:
        _one_by_one(state)


def _note_rule(state: StateDirectory, request: Request, said: Answer) -> None:
    """Print the rule that `--always` made, and how to take it back."""
    if said.always:
        rule = approving.lasting_rule(state, request)
        name = rules.rule_id(rule)
        output.note(f"always allowed from now on: {output.shortened(rule.words(), _WIDEST_RULE)}")
        output.note(f"hldctl set {request.session_id[:8]} --forget-rule {name} takes that back")


def can_ask() -> bool:
    """Whether a person sees a request and can type."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _one_by_one(state: StateDirectory) -> None:
    approving.require_right(state)
    waiting = approving.listed(state)
    if not waiting:
        output.note("nothing waits for permission")
    with left_by_signal():
        for request in waiting:
            if not ask(state, request):
                return


def ask(state: StateDirectory, request: Request) -> bool:
    """Shows a request, and answers it as the user says; False if the user has had enough."""
    title = f"{request.id[:8]}  session {request.session_id[:8]}  {output.one_line(request.tool_name)}"
    output.data(output.styled(title, bold=True))
    for shown in description(request):
        output.data(shown)
    try:
        return _answer_from_keyboard(state, request)
    except EOFError:
        return False
    except WrongState as error:
        output.note(str(error))
        return True


def _answer_from_keyboard(state: StateDirectory, request: Request) -> bool:
    while True:
        said: Answer | None = None
        match input(f"{_QUESTION} ").strip().lower()[:1]:
            case "y":
                said = Answer(allows=True)
            case "a":
                said = Answer(allows=True, always=True)
            case "n":
                said = Answer(allows=False, comment=input("Tell the model: ").strip() or None)
            case "e":
                if (changed := _edited(json.loads(request.tool_input))) is not None:
                    said = Answer(allows=True, updated_input=changed)
            case "q":
                return False
        if said is not None:
            approving.answer(state, request.id, said, _command())
            return True


def _command() -> str:
    """The command that asks, as the user named it: approve, deny, tail, top…"""
    context = get_current_context(silent=True)
    return "" if context is None else context.info_name or ""


def _edited(tool_input: dict[str, Any]) -> dict[str, Any] | None:
    """As the user's editor leaves it; None if that is nothing new, or no JSON."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.NamedTemporaryFile("w+", suffix=".json") as file:
        json.dump(tool_input, file, indent=2, ensure_ascii=False)
        file.flush()
        try:
            subprocess.run([*editor, file.name], check=True)
            # By its name: an editor may put another file in its place.
            value = json.loads(Path(file.name).read_text(encoding="utf-8"))
        except (OSError, subprocess.CalledProcessError) as error:
            output.note(f"{editor[0]} cannot be used: {error}; name another editor in EDITOR")
            return None
        except ValueError as error:
            output.note(f"that is no JSON: {error}")
            return None
    return value if isinstance(value, dict) and value != tool_input else None


def description(request: Request) -> Iterator[str]:
    """All that the call would do: the command, the edit as a coloured diff, and whatever else is in its input."""
    rest: dict[str, Any] = json.loads(request.tool_input)
    if request.tool_name == "Bash" and isinstance(rest.get("command"), str):
        yield output.harmless(f"$ {rest.pop('command')}")
    elif request.tool_name in permission.EDITING_TOOLS:
        yield output.one_line(str(rest.pop("file_path", "")))
        old, new = rest.pop("old_string", ""), rest.pop("new_string", None)
        yield from _diff(str(old), str(rest.pop("content", "") if new is None else new))
    if rest:
        yield output.harmless(json.dumps(rest, indent=2, ensure_ascii=False))


def _diff(old: str, new: str) -> Iterator[str]:
    colours = {"+": "green", "-": "red"}
    # Line ends included: a change of these alone is one, too.
    before, after = (text.splitlines(keepends=True) for text in (old, new))
    # The first two lines name files.
    for line in list(difflib.unified_diff(before, after, n=3))[2:]:
        ending = "" if line.endswith("\n") and not line.endswith("\r\n") else " (its end is not a newline alone)"
        yield output.styled(output.harmless(line.rstrip("\r\n")) + ending, fg=colours.get(line[:1]))
