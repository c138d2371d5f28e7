"""The answer to a permission request: what it allowed or denied, who gave it, when and from where."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from hldctl.claude import permission_hook
from hldctl.cli import output
from hldctl.cli.render.events.plain import answered_status, answerer
from hldctl.cli.render.format import age
from hldctl.cli.render.requests import permission_request, question_text
from hldctl.cli.render.requests.line import Line
from hldctl.states import ApprovalKind, ApprovalStatus
from hldctl.store.approvals import Approval as Request
from hldctl.store.approvals import origin as origin_of
from hldctl.store.session import Session
from hldctl.system.clock import format_local_time, format_rfc3339

_INDENT = "  "


def note(request: Request, session: Session | None, tool_input: dict[str, Any] | None = None) -> str:
    """Return what an answer allowed or denied: the whole call, as it will run or would have run."""
    effective_input = json.loads(request.tool_input) if tool_input is None else tool_input
    lines = [line.text for line in permission_request.call(request.tool_name, effective_input)]
    verb = _verb(request)
    tool = output.escape_invisible_line(request.tool_name)
    title = output.escape_invisible_line(permission_request.session_title(session))
    head = f"{verb} {tool} in session {request.session_id[:8]}{f' ({title})' if title else ''}"
    if len(lines) < 2:
        return ": ".join([head, *lines])
    return "\n".join([f"{head}:", *(_INDENT + line for line in lines)])


def _verb(request: Request) -> str:
    if request.status != ApprovalStatus.APPROVED:
        return "denied"
    return "answered" if request.kind is ApprovalKind.QUESTION else "allowed"


def describe(request: Request, *, at_terminal: bool) -> Iterator[Line]:
    """Yield when the request was made and how it was answered; a person at a terminal gets local time."""
    if request.status == ApprovalStatus.PENDING:
        waited = age(time.time() - request.created_at / 1000)
        yield Line(f"pending since {_time(request.created_at, at_terminal)} ({waited})", "yellow")
        return
    yield Line(f"asked {_time(request.created_at, at_terminal)}", "dim")
    when = _time(request.responded_at or request.created_at, at_terminal)
    yield Line(f"{answered_status(request)} {when} by {answerer(request)}{_command(request)}")
    answer = json.loads(request.answer or "null")
    changed = permission_hook.updated_input(answer)
    if changed is not None and request.kind is ApprovalKind.QUESTION:
        yield from question_text.answer_lines(changed)
    elif changed is not None and changed != json.loads(request.tool_input):
        yield Line("it ran with this input instead:")
        yield from permission_request.call(request.tool_name, changed)
    if message := permission_hook.message_to_model(answer):
        yield from _text("message to the model", message)
    elif request.comment:
        yield from _text("comment", request.comment)


def _time(milliseconds: int, at_terminal: bool) -> str:
    return format_local_time(milliseconds) if at_terminal else format_rfc3339(milliseconds) or ""


def _command(request: Request) -> str:
    """Return the command that gave the answer, with its terminal, and its host if that is another one."""
    origin = origin_of(request)
    if origin is None:
        return ""
    host = origin.get("host")
    parts = [
        f", with `hldctl {origin.get('command')}`",
        f" on {tty}" if (tty := origin.get("tty")) else " without a terminal",
        f" of {host}" if host != os.uname().nodename else "",
    ]
    return output.escape_invisible_line("".join(parts))


def _text(name: str, text: str) -> Iterator[Line]:
    first, *others = output.escape_invisible(text).split("\n")
    yield Line(f"{name}: {first}")
    yield from (Line(_INDENT + line) for line in others)
