"""Permission requests as a table: whole lines for a pipe, lines that fit for a terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from hldctl.cli import output
from hldctl.cli.render.events.plain import answered_status, answerer
from hldctl.cli.render.format import age
from hldctl.states import ApprovalKind, ApprovalStatus
from hldctl.store.approvals import Approval
from hldctl.store.session import Session

HEADER = ("ID", "SESSION", "STATUS", "SINCE", "TOOL", "INPUT")
_GAP = "  "
# Columns of a terminal. A tool of an MCP server has a long name.
_MAX_SESSION_WIDTH = 24
_MAX_TOOL_WIDTH = 24


def cells(approval: Approval) -> tuple[str, ...]:
    """Return the cells of a line in a pipe, with the whole input as JSON."""
    return (
        approval.id[:8],
        approval.session_id[:8],
        _status(approval),
        _since(approval),
        output.escape_invisible_line(approval.tool_name),
        output.escape_invisible_line(approval.tool_input),
    )


def fitted_lines(
    approvals: Sequence[Approval], sessions: Mapping[str, Session | None], width: int, *, show_status: bool
) -> list[str]:
    """Return the header and a line per request with the session's title; `…` ends what does not fit into `width`."""
    # Imported here: a pipe does not need it.
    from hldctl.cli.render.requests.permission_request import session_title

    columns = {
        "ID": [approval.id[:8] for approval in approvals],
        "SESSION": [
            f"{approval.session_id[:8]} {output.escape_invisible_line(session_title(sessions[approval.session_id]))}"
            for approval in approvals
        ],
        "STATUS": [_status(approval) for approval in approvals],
        "SINCE": [_since(approval) for approval in approvals],
        "TOOL": [output.escape_invisible_line(approval.tool_name) for approval in approvals],
    }
    if not show_status:
        # All of them are pending.
        del columns["STATUS"]
    limits = {"SESSION": _MAX_SESSION_WIDTH, "TOOL": _MAX_TOOL_WIDTH}
    padded = [_padded([name, *texts], limits.get(name, width)) for name, texts in columns.items()]
    starts = [_GAP.join(parts) + _GAP for parts in zip(*padded, strict=True)]
    calls = ["CALL", *map(_call, approvals)]
    return [output.truncate_to_width(start + call, max(1, width)) for start, call in zip(starts, calls, strict=True)]


def _padded(texts: Sequence[str], limit: int) -> list[str]:
    truncated = [output.truncate_to_width(text.rstrip(), limit) for text in texts]
    widths = list(map(_width, truncated))
    return [text + " " * (max(widths) - own) for text, own in zip(truncated, widths, strict=True)]


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _call(approval: Approval) -> str:
    """Return a command without its description, questions, or the input of another tool, on one line."""
    if approval.kind is ApprovalKind.QUESTION:
        from hldctl.cli.render.requests import question_text

        return question_text.one_line(approval)
    arguments = json.loads(approval.tool_input)
    command = arguments.get("command")
    rest = {name: value for name, value in arguments.items() if name not in ("command", "description")}
    if not isinstance(command, str):
        return output.escape_invisible_line(approval.tool_input)
    more = f"  {json.dumps(rest, ensure_ascii=False)}" if rest else ""
    return output.escape_invisible_line(f"{command}{more}")


def _since(approval: Approval) -> str:
    return age(time.time() - approval.created_at / 1000)


def _status(approval: Approval) -> str:
    if approval.status == ApprovalStatus.PENDING:
        return "pending"
    return f"{answered_status(approval)} by {answerer(approval)}"
