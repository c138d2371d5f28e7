"""A conversation as plain lines, and the level of detail."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import NamedTuple

from hldctl.cli.output import escape_control_chars, escape_invisible_line, one_line, truncate_to_width
from hldctl.cli.render.events import tool_result
from hldctl.states import ASKING_TOOLS, ApprovalKind, ApprovalStatus, EventType, NoteKind
from hldctl.store.approvals import Approval
from hldctl.store.approvals import origin as origin_of
from hldctl.store.events import Event
from hldctl.system.clock import format_rfc3339


class Detail(StrEnum):
    """A level of detail, for thinking or for tool calls."""

    NONE = "none"
    BRIEF = "brief"
    FULL = "full"


class DetailLevels(NamedTuple):
    """The levels of detail from the options; None if not given."""

    thinking: Detail | None = None
    tools: Detail | None = None
    live: bool = False
    """True if text is shown while it is written."""
    timestamps: bool = False


# Characters of a tool's input on a line.
_MAX_INPUT = 200
_ALL = DetailLevels()
_WAITING = {
    ApprovalKind.PERMISSION: "waits for permission",
    ApprovalKind.QUESTION: "asks",
    ApprovalKind.PLAN: "waits for approval of a plan",
}


def lines(
    event: Event, levels: DetailLevels = _ALL, *, subagent: str = "", denied: Approval | None = None
) -> list[str]:
    """Return the event's lines, the first with a label, the others indented; empty if the event is not shown.

    `subagent` is the description of the subagent that the event belongs to, `denied` the denied permission request of
    the call that the event is the result of.
    """
    detail = _detail(event, levels)
    if detail is Detail.NONE:
        return []
    label, text = _label_and_text(event, whole_input=detail is Detail.FULL)
    if denied is not None:
        label, text = f"denied by {answerer(denied)}", denied.comment or text
    first, *others = escape_control_chars(text).rstrip("\n").split("\n")
    if detail is Detail.BRIEF:
        others = []
    indent = "  " if event.parent_tool_use_id else ""
    name = f"[{one_line(subagent)}] " if subagent else ""
    time = f"{format_rfc3339(event.created_at)} " if levels.timestamps else ""
    return [f"{time}{indent}{name}{label}: {first}", *(f"{indent}  {line}" for line in others)]


def approval_line(approval: Approval, *, elsewhere: bool = False) -> str:
    """Return a pending request with the whole call, or how it was answered; `elsewhere` if not in this terminal."""
    if approval.status == ApprovalStatus.PENDING:
        return f"{_WAITING[approval.kind]} {pending_request(approval)}"
    where = " elsewhere" if elsewhere and approval.status != ApprovalStatus.EXPIRED else ""
    texts = [escape_invisible_line(approval.comment or ""), given_answers(approval)]
    rest = "".join(f": {text}" for text in texts if text)
    return f"{answered_status(approval)} {approval.id[:8]} by {answerer(approval)}{where}{rest}"


def answered_status(approval: Approval) -> str:
    """Return how a request was resolved, in one word."""
    is_answered = approval.kind is ApprovalKind.QUESTION and approval.status == ApprovalStatus.APPROVED
    return "answered" if is_answered else approval.status


def given_answers(approval: Approval) -> str:
    """Return the answers to the model's questions on one line; empty if there are none."""
    if approval.kind is not ApprovalKind.QUESTION:
        return ""
    # Imported here: few sessions ask.
    from hldctl.cli.render.requests import question_text

    return question_text.answers_line(approval)


def is_shown_with_result(approval: Approval, levels: DetailLevels = _ALL) -> bool:
    """Return whether the result of the call, which follows a denial, says that it was denied."""
    is_denial = approval.status == ApprovalStatus.DENIED and approval.tool_use_id is not None
    return is_denial and levels.tools is not Detail.NONE


def denial(approval: Approval, result: str) -> str:
    """Return who denied a request, and why: the comment, or for another hook what the result says."""
    reason = escape_invisible_line(approval.comment or "") or ("" if approval.answer else result)
    return f"denied by {answerer(approval)}{f': {reason}' if reason else ''}"


def pending_request(approval: Approval) -> str:
    """Return the id of a request and the whole call, or what is asked, on one line."""
    if approval.kind is ApprovalKind.QUESTION:
        from hldctl.cli.render.requests import question_text

        return f"{approval.id[:8]}: {question_text.one_line(approval)}"
    return (
        f"{approval.id[:8]}: {escape_invisible_line(approval.tool_name)}: {escape_invisible_line(approval.tool_input)}"
    )


def answerer(approval: Approval) -> str:
    """Return who answered, and from where if not from a shell of this machine."""
    origin = origin_of(approval) or {}
    places = {
        "from session": (origin.get("session_id") or "")[:8],
        "a command of session": (origin.get("command_of") or "")[:8],
        "ssh from": origin.get("ssh_client"),
    }
    place = ", ".join(f"{name} {value}" for name, value in places.items() if value)
    if origin.get("asked_by"):
        place = "from another machine"
    return escape_invisible_line(
        f"{approval.answered_by or 'nobody'} ({place})" if place else approval.answered_by or "nobody"
    )


def _detail(event: Event, levels: DetailLevels) -> Detail | None:
    if event.event_type == EventType.THINKING:
        return levels.thinking
    if event.note_kind == NoteKind.TASK_OF_CALL:
        return Detail.NONE
    if event.note_kind == NoteKind.TASK_ENDED:
        return levels.tools
    return levels.tools if event.event_type in (EventType.TOOL_CALL, EventType.TOOL_RESULT) else None


def _input_line(event: Event) -> str:
    if ASKING_TOOLS.get(event.tool_name or "") is ApprovalKind.QUESTION:
        from hldctl.cli.render.requests import question_text

        return question_text.input_line(event.tool_input)
    return escape_invisible_line(event.tool_input or "")


def _label_and_text(event: Event, *, whole_input: bool) -> tuple[str, str]:
    match event.event_type:
        case EventType.MESSAGE if event.note_kind == NoteKind.SENT:
            return "user (sent while running)", event.content or ""
        case EventType.MESSAGE if event.note_kind == NoteKind.CHECK_OUTPUT:
            return "check", event.content or ""
        case EventType.MESSAGE:
            return ("user" if event.role == "user" else "claude"), event.content or ""
        case EventType.THINKING:
            return "thinking", event.content or ""
        case EventType.TOOL_CALL:
            label = f"call {one_line(event.tool_name or '')}"
            if whole_input:
                return label, json.dumps(json.loads(event.tool_input or "null"), indent=2, ensure_ascii=False)
            return label, truncate_to_width(_input_line(event), _MAX_INPUT)
        case EventType.TOOL_RESULT if event.note_kind == NoteKind.TASK_RECEIPT:
            return "started", "in the background"
        case EventType.TOOL_RESULT:
            return ("error" if event.is_error else "result"), tool_result.text(event) or "(no output)"
        case EventType.SYSTEM if event.note_kind == NoteKind.TASK_ENDED:
            return ("error" if event.is_error else "note"), event.content or ""
    return "note", event.content or ""
