"""The edits that a session made with its tools."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.paths import StateDirectory
from hldctl.sessions.inspect import follow
from hldctl.store.database import open_for_reading
from hldctl.store.events import Event

_EDITING_TOOLS = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})


class Edit(NamedTuple):
    """A call of a tool that edits a file, and its result."""

    call: Event
    result: Event


def load_edits(state: StateDirectory, session_id: str) -> list[Edit]:
    """Return the edits of a session that succeeded, oldest first."""
    calls: dict[str, Event] = {}
    edits = []
    with open_for_reading(state):
        for event in follow.conversation_events(state, [session_id]):
            if event.tool_id and event.tool_name in _EDITING_TOOLS:
                calls[event.tool_id] = event
            elif event.tool_result_for_id in calls and not event.is_error:
                edits.append(Edit(calls[event.tool_result_for_id], event))
    return edits
