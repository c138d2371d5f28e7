"""What a session waits for in a request: permission for a call, an answer, or approval of its plan."""

from __future__ import annotations

from collections.abc import Iterable

from hldctl.states import ASKING_TOOLS, ApprovalKind

_WAITS = {
    ApprovalKind.QUESTION: "waiting for an answer",
    ApprovalKind.PLAN: "waiting for approval of its plan",
    ApprovalKind.PERMISSION: "waiting for permission",
}
"""The most particular first."""


def waiting_text(tools: Iterable[str | None]) -> str:
    """Return what a session waits for that has requests for calls of these tools."""
    kinds = {_kind(tool) for tool in tools}
    return next((text for kind, text in _WAITS.items() if kind in kinds), _WAITS[ApprovalKind.PERMISSION])


def asking_text(tool: str, argument: str) -> str:
    """Return what a session asks with a request for a call of the tool."""
    match _kind(tool):
        case ApprovalKind.QUESTION:
            return f"asks: {argument}"
        case ApprovalKind.PLAN:
            return f"asks to approve its plan: {argument}"
    return f"asks: {tool} {argument}"


def _kind(tool: str | None) -> ApprovalKind:
    return ASKING_TOOLS.get(tool or "", ApprovalKind.PERMISSION)
