"""A permission request as shown for a decision: the whole call as it will run, and its session."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from hldctl.claude.permission_hook import EXACT, INPUT
from hldctl.claude.tools import EDITED_PATHS
from hldctl.cli import output
from hldctl.cli.render.current_file import current_text
from hldctl.cli.render.requests import question_text
from hldctl.cli.render.requests.line import Line
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import answers
from hldctl.states import ASKING_TOOLS, ApprovalKind, ApprovalStatus
from hldctl.store.approvals import Approval as Request
from hldctl.store.session import Session

_COLOURS = {"+": "green", "-": "red"}
# Characters of the input that a rule repeats.
_MAX_RULE_LENGTH = 200
_EDIT = ("old_string", "new_string")


def describe_request(request: Request, session: Session | None, tool_input: dict[str, Any] | None = None) -> list[Line]:
    """Return the heading and the call; `tool_input` replaces the input of the request."""
    effective_input = json.loads(request.tool_input) if tool_input is None else tool_input
    is_pending = request.status == ApprovalStatus.PENDING
    return [*heading(request, session), *call(request.tool_name, effective_input, has_yet_to_run=is_pending)]


def heading(request: Request, session: Session | None) -> Iterator[Line]:
    """Yield the id and the tool, and the session with its directory."""
    yield Line(f"{request.id[:8]}  {output.escape_invisible_line(request.tool_name)}", "bold")
    title = output.escape_invisible_line(session_title(session))
    yield Line(f"session {request.session_id[:8]}  {title}".rstrip(), "dim")
    if session is not None:
        yield Line(f"in {output.escape_invisible_line(session.working_dir)}", "dim")


def session_title(session: Session | None) -> str:
    """Return the title with the session's name before it; empty for a deleted session."""
    if session is None:
        return ""
    title = session.title or session.summary
    return f"{session.name}: {title}" if session.name else title


def call(tool_name: str, tool_input: dict[str, Any], *, has_yet_to_run: bool = False) -> Iterator[Line]:
    """Yield a command, an edit as a diff, a plan or questions, and the rest of the input by name.

    If it has yet to run, the diff of a Write is against the file as it is now.
    """
    rest = dict(tool_input)
    kind = ASKING_TOOLS.get(tool_name)
    if kind is ApprovalKind.QUESTION:
        yield from question_text.request_lines(tool_input)
        rest = {name: value for name, value in rest.items() if name not in ("questions", "answers")}
    elif kind is ApprovalKind.PLAN and isinstance(plan := rest.get("plan"), str):
        del rest["plan"]
        yield from (Line(each) for each in output.escape_invisible(plan.strip("\n")).split("\n"))
    elif tool_name == "Bash" and isinstance(command := rest.get("command"), str):
        del rest["command"]
        first, *others = output.escape_invisible(command).split("\n")
        yield Line(f"$ {first}")
        # As in a shell, to distinguish a newline from a line that the terminal has wrapped.
        yield from (Line(f"> {other}") for other in others)
    elif isinstance(path := rest.get(EDITED_PATHS.get(tool_name, "")), str):
        del rest[EDITED_PATHS[tool_name]]
        yield Line(output.escape_invisible_line(path))
        yield from _edits(tool_name, rest, current_text(path) if has_yet_to_run and tool_name == "Write" else None)
    for name, value in rest.items():
        yield from _argument(output.escape_invisible_line(name), value)


def _argument(name: str, value: Any) -> Iterator[Line]:
    """Yield an argument on one line, or below its name if it has several."""
    is_text = isinstance(value, str) and ("\n" in value or _is_plain(value))
    text = value if is_text else json.dumps(value, ensure_ascii=False, indent=2 if _is_nested(value) else None)
    first, *others = output.escape_invisible(text).split("\n")
    if others:
        yield Line(f"{name}:")
        yield from (Line(f"  {line}") for line in (first, *others))
    else:
        yield Line(f"{name}: {first}")


def _is_plain(text: str) -> bool:
    """Return whether a text without quotation marks is distinct from other values, and both its ends are visible."""
    if not text or text != text.strip():
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    except RecursionError:
        pass
    return False


def _is_nested(value: Any) -> bool:
    """Return whether a list or an object contains another one that is not empty."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(member, dict | list) and member for member in members)


def _edits(tool_name: str, rest: dict[str, Any], before: str | None) -> Iterator[Line]:
    """Remove edits from the input and yield them as a diff, unless they are not text."""
    if tool_name == "MultiEdit":
        edits = rest.get("edits")
        if isinstance(edits, list) and edits and all(isinstance(edit, dict) and _is_edit(edit) for edit in edits):
            del rest["edits"]
            for number, edit in enumerate(edits, 1):
                yield Line(f"edit {number} of {len(edits)}", "dim")
                yield from _diff(edit["old_string"], edit["new_string"])
                if others := {name: value for name, value in edit.items() if name not in _EDIT}:
                    yield Line(output.escape_invisible_line(json.dumps(others, ensure_ascii=False)))
    elif tool_name == "Edit" and _is_edit(rest):
        yield from _diff(rest.pop("old_string"), rest.pop("new_string"))
    else:
        name = {"Write": "content", "NotebookEdit": "new_source"}.get(tool_name, "")
        if isinstance(rest.get(name), str):
            yield from _diff(before or "", rest.pop(name))


def _is_edit(edit: dict[str, Any]) -> bool:
    return all(isinstance(edit.get(name), str) for name in _EDIT)


def _diff(old: str, new: str) -> Iterator[Line]:
    """Yield all lines, with line ends other than newlines escaped; mark a missing newline at the end."""
    before, after = _lines(old), _lines(new)
    if before == after:
        yield Line("(empty)" if not after else "(no change)", "dim")
    # The first three lines are file names and line numbers. With unlimited context, one hunk follows.
    for line in list(difflib.unified_diff(before, after, n=max(len(before), len(after))))[3:]:
        yield Line(output.escape_invisible(line.removesuffix("\n")), _COLOURS.get(line[:1], ""))
        if not line.endswith("\n"):
            yield Line("\\ No newline at the end", "dim")


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    return [*(f"{part}\n" for part in parts[:-1]), *([parts[-1]] if parts[-1] else [])]


def lasting_rule_text(state: StateDirectory, request: Request) -> str:
    """Return the rule that `--always` would add for this request; the call itself is shown next to it."""
    rule = answers.lasting_rule(state, request)
    if rule.kind in (EXACT, INPUT) and ("\n" in rule.content or len(rule.content) > _MAX_RULE_LENGTH):
        return "calls that are identical to this one, in this session"
    return output.escape_invisible_line(rule.description())
