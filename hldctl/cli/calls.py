"""A session's tool calls while its conversation is shown: which have no result yet, and whose calls they are."""

from __future__ import annotations

from hldctl.cli import tool_line
from hldctl.store import conversation
from hldctl.store.conversation import Event


class Calls:
    """To be used while the database is open: a call that is not among what is shown is looked up."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._open: dict[str, Event] = {}
        self._subagents: dict[str, Event] = {}

    @property
    def open(self) -> list[Event]:
        return list(self._open.values())

    def begin(self, call: Event) -> None:
        if call.tool_id is not None:
            self._open[call.tool_id] = call
            if call.tool_name in tool_line.SUBAGENTS:
                self._subagents[call.tool_id] = call

    def end(self, result: Event) -> Event | None:
        """The call that the result is for."""
        tool_id = result.tool_result_for_id or ""
        return self._open.pop(tool_id, None) or conversation.call(self._session_id, tool_id)

    def parent(self, event: Event) -> Event | None:
        """The call of the subagent that the event is from."""
        if (tool_id := event.parent_tool_use_id) is None:
            return None
        if tool_id not in self._subagents and (found := conversation.call(self._session_id, tool_id)) is not None:
            self._subagents[tool_id] = found
        return self._subagents.get(tool_id)

    def depth(self, event: Event) -> int:
        """How many subagents deep it is; an event whose parent nobody knows is a subagent's all the same."""
        depth, seen = 0, set[str]()
        while event.parent_tool_use_id is not None and event.parent_tool_use_id not in seen:
            seen.add(event.parent_tool_use_id)
            depth += 1
            if (parent := self.parent(event)) is None:
                break
            event = parent
        return depth
