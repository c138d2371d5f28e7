"""A conversation as plain lines."""

from __future__ import annotations

from hldctl.cli.output import harmless, one_line, shortened
from hldctl.states import ApprovalStatus, EventType
from hldctl.store.approvals import Approval
from hldctl.store.conversation import Event

_WIDTH = 200
"""Characters of a tool's input that a line shows."""


def lines(event: Event) -> list[str]:
    """The event, its first line labelled with who or what speaks, the others indented."""
    label, text = _label_and_text(event)
    first, *others = harmless(text).rstrip("\n").split("\n")
    indent = "  " if event.parent_tool_use_id else ""
    return [f"{indent}{label}: {first}", *(f"{indent}  {line}" for line in others)]


def approval_line(approval: Approval) -> str:
    """What waits for permission, or what was said to it."""
    if approval.status == ApprovalStatus.PENDING:
        call = f"{one_line(approval.tool_name)}: {shortened(approval.tool_input, _WIDTH)}"
        return f"waits for permission {approval.id[:8]}: {call}"
    comment = f": {shortened(approval.comment, _WIDTH)}" if approval.comment else ""
    return one_line(f"{approval.status} {approval.id[:8]} by {approval.answered_by}{comment}")


def _label_and_text(event: Event) -> tuple[str, str]:
    match event.event_type:
        case EventType.MESSAGE:
            return ("user" if event.role == "user" else "claude"), event.content or ""
        case EventType.THINKING:
            return "thinking", event.content or ""
        case EventType.TOOL_CALL:
            return f"call {one_line(event.tool_name or '')}", shortened(event.tool_input or "", _WIDTH)
        case EventType.TOOL_RESULT:
            return ("error" if event.is_error else "result"), event.tool_result_content or ""
    return "note", event.content or ""
