"""The tool calls of a session that is followed, with what the database knows of those that were not seen."""

from __future__ import annotations

from typing import Any

from hldctl.states import ApprovalStatus, NoteKind
from hldctl.store import approvals, events
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.events import Event

SUBAGENTS = frozenset({"Agent", "Task"})

_KEY_INPUTS = (
    *("command", "file_path", "notebook_path", "pattern", "path", "url", "query", "skill", "description", "prompt"),
    *("subject", "message"),
)


def key_input(inputs: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the name and the text of the most informative argument: a command, a path, a pattern; else the first text.

    Both are None if the input has no text. Questions to the user are joined.
    """
    if asked := _questions(inputs.get("questions")):
        return "questions", " / ".join(asked)
    texts = {name: value for name, value in inputs.items() if isinstance(value, str) and value.strip()}
    name = next((name for name in _KEY_INPUTS if name in texts), next(iter(texts), None))
    return name, None if name is None else texts[name]


def _questions(value: Any) -> list[str]:
    texts = [each.get("question") for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return [text for text in texts if isinstance(text, str)]


class ToolCalls:
    """The open tool calls of a session. Unknown calls are looked up, so the database has to be open."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._open: dict[str, Event] = {}
        self._subagents: dict[str, Event] = {}
        self._in_background: dict[str, Event] = {}

    @property
    def open(self) -> list[Event]:
        return list(self._open.values())

    @property
    def in_background(self) -> list[Event]:
        """The calls whose task runs in the background."""
        return list(self._in_background.values())

    def begin(self, call: Event) -> None:
        """Record a call."""
        if call.tool_id is not None:
            self._open[call.tool_id] = call
            if call.tool_name in SUBAGENTS:
                self._subagents[call.tool_id] = call

    def end(self, result: Event) -> Event | None:
        """Return the call that a result belongs to, or the end of its task, and close it; None if unknown."""
        tool_id = result.tool_result_for_id or ""
        found = self._open.pop(tool_id, None) or self._in_background.pop(tool_id, None)
        call = found or events.tool_call(self._session_id, tool_id)
        if call is not None and result.note_kind == NoteKind.TASK_RECEIPT:
            self._in_background[tool_id] = call
        return call

    def duration_ms(self, call: Event, end: Event) -> int:
        """Return how long a call took, without the wait for permission."""
        waited_ms = approvals.waited_ms(current_connection(), self._session_id, call.tool_id or "")
        return max(0, end.created_at - call.created_at - waited_ms)

    def parent(self, event: Event) -> Event | None:
        """Return the call of the subagent that an event belongs to; None if unknown, or if there is none."""
        if (tool_id := event.parent_tool_use_id) is None:
            return None
        if tool_id not in self._subagents and (call := events.tool_call(self._session_id, tool_id)) is not None:
            self._subagents[tool_id] = call
        return self._subagents.get(tool_id)

    def depth(self, event: Event) -> int:
        """Return how many subagents deep an event is; at least one if its parent is unknown."""
        depth, seen = 0, set[str]()
        while event.parent_tool_use_id is not None and event.parent_tool_use_id not in seen:
            seen.add(event.parent_tool_use_id)
            depth += 1
            if (parent := self.parent(event)) is None:
                break
            event = parent
        return depth

    def denied_request(self, call: Event) -> Approval | None:
        """Return the permission request of a call if it was denied, which was unknown when the call was read."""
        return denied_request(self._session_id, call.tool_id)

    def has_denied(self) -> bool:
        """Return whether the permission request of an open call was denied."""
        return any(self.denied_request(call) is not None for call in self._open.values())


def denied_request(session_id: str, tool_id: str | None) -> Approval | None:
    """Return the permission request of this call if it was denied; otherwise None. The database has to be open."""
    call = events.tool_call(session_id, tool_id or "")
    if call is None or call.approval_id is None or call.approval_status != ApprovalStatus.DENIED:
        return None
    return approvals.get(current_connection(), call.approval_id)
