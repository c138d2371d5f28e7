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
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from hldctl.cli import output
from hldctl.errors import BadUsage, ExitCode, WrongState
from hldctl.host.paths import StateDirectory
from hldctl.sessions import approving
from hldctl.sessions.approving import Answer
from hldctl.store.approvals import Approval as Request

Approval = Annotated[str | None, typer.Argument(metavar="APPROVAL", help="The request: its id, or a prefix of it.")]
AllOfThem = Annotated[bool, typer.Option("--all", help="All that wait.")]
OfSession = Annotated[str | None, typer.Option("--session", metavar="ID", help="With --all: only of this session.")]
OfTool = Annotated[str | None, typer.Option("--tool", metavar="NAME", help="With --all: only for this tool.")]

_QUESTION = "Allow? [y]es, [n]o, [e]dit, [a]lways, [q]uit"


def answer(said: Answer, words: str | None, *, all_of_them: bool, session: str | None, tool: str | None) -> None:
    """Answers what the command's words name, and prints the ids; raises BadUsage where they name nothing."""
    state = StateDirectory.from_environment()
    if not all_of_them and (session is not None or tool is not None):
        raise BadUsage("--session and --tool go with --all.")
    if all_of_them and words is not None:
        raise BadUsage("Say either --all or the id of a request.")
    if all_of_them:
        for answered in approving.answer_all(state, said, session=session, tool_name=tool):
            output.data(answered.id)
    elif words is not None:
        output.data(approving.answer(state, words, said).id)
    elif sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        _one_by_one(state)
    else:
        raise BadUsage("Name the request to answer, or say --all; `hldctl approvals` shows what waits.")


def _one_by_one(state: StateDirectory) -> None:
    waiting = approving.listed(state)
    if not waiting:
        output.note("nothing waits for permission")
    for request in waiting:
        if not ask(state, request):
            return


def ask(state: StateDirectory, request: Request) -> bool:
    """Shows a request, and answers it as the user says; False if the user has had enough."""
    title = f"{request.id[:8]}  session {request.session_id[:8]}  {output.one_line(request.tool_name)}"
    output.data(typer.style(title, bold=True))
    for shown in description(request):
        output.data(shown)
    try:
        return _answer_from_keyboard(state, request)
    except (typer.Abort, EOFError):
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except WrongState as error:
        output.note(str(error))
        return True


def _answer_from_keyboard(state: StateDirectory, request: Request) -> bool:
    while True:
        key = typer.prompt(_QUESTION, prompt_suffix=" ", default="", show_default=False).strip().lower()[:1]
        said: Answer | None = None
        match key:
            case "y":
                said = Answer(allows=True)
            case "a":
                said = Answer(allows=True, always=True)
            case "n":
                message = typer.prompt("Tell the model", prompt_suffix=": ", default="", show_default=False)
                said = Answer(allows=False, comment=message or None)
            case "e":
                if (changed := _edited(json.loads(request.tool_input))) is not None:
                    said = replace(Answer(allows=True), updated_input=changed)
            case "q":
                return False
        if said is not None:
            approving.answer(state, request.id, said)
            return True


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
    """What the call would do: the command, the edit as a coloured diff, or its input."""
    tool_input = json.loads(request.tool_input)
    if isinstance(tool_input.get("command"), str):
        yield output.harmless(f"$ {tool_input['command']}")
    elif isinstance(tool_input.get("old_string"), str) and isinstance(tool_input.get("new_string"), str):
        yield output.one_line(str(tool_input.get("file_path")))
        yield from _diff(tool_input["old_string"], tool_input["new_string"])
    elif isinstance(tool_input.get("content"), str) and "file_path" in tool_input:
        yield output.one_line(str(tool_input["file_path"]))
        yield from _diff("", tool_input["content"])
    else:
        yield output.harmless(json.dumps(tool_input, indent=2, ensure_ascii=False))


def _diff(old: str, new: str) -> Iterator[str]:
    colours = {"+": "green", "-": "red"}
    compared = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3)
    # The first two lines name files.
    for line in list(compared)[2:]:
        yield typer.style(output.harmless(line), fg=colours.get(line[:1]))
