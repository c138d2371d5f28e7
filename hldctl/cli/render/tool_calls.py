"""Tool calls as short text, and the calls of a session that have no result yet."""

from __future__ import annotations

import json
import os
from typing import Any

from hldctl.cli.output import one_line, truncate
from hldctl.store import events
from hldctl.store.events import Event

SUBAGENTS = frozenset({"Agent", "Task"})
EDITS = frozenset({"Edit", "MultiEdit", "Write"})

# The most informative argument of a tool; for other tools it is the first string in the input.
_ARGUMENTS = {
    "Agent": "description",
    "Bash": "command",
    "Edit": "file_path",
    "Glob": "pattern",
    "Grep": "pattern",
    "MultiEdit": "file_path",
    "NotebookEdit": "notebook_path",
    "Read": "file_path",
    "Task": "description",
    "WebFetch": "url",
    "WebSearch": "query",
    "Write": "file_path",
}

_MAX_NAME_LENGTH = 40
# Characters; a terminal shows as many as fit.
_MAX_LENGTH = 500


def name(event: Event) -> str:
    """Return the tool's name, with `server:tool` for `mcp__server__tool`."""
    text = event.tool_name or ""
    if text.startswith("mcp__"):
        text = ":".join(part for part in text.removeprefix("mcp__").split("__", 1) if part)
    return truncate(text, _MAX_NAME_LENGTH) or "tool"


def argument(event: Event, working_dir: str) -> str:
    """Return the most informative argument of a call on one line."""
    arguments = tool_input(event)
    key = _ARGUMENTS.get(event.tool_name or "")
    text = arguments.get(key) if key else None
    if not isinstance(text, str):
        text = next((value for value in arguments.values() if isinstance(value, str) and value), None)
    if text is None:
        text = json.dumps(arguments, ensure_ascii=False) if arguments else ""
    elif key in ("file_path", "notebook_path"):
        text = _relative(text, working_dir)
    return truncate(text[: 4 * _MAX_LENGTH], _MAX_LENGTH)


def outcome(result: Event) -> str:
    """Return the number of lines of a result; for an error its first line, and the second after a bare exit code."""
    text = (result.tool_result_content or "").strip()
    if result.is_error:
        first, *others = [one_line(line) for line in text.splitlines()[:20] if line.strip()] or ["failed"]
        hint = f"{first}: {others[0]}" if first.startswith("Exit code") and others else first
        return truncate(hint.removeprefix("<tool_use_error>").removesuffix("</tool_use_error>"), _MAX_LENGTH)
    count = text.count("\n") + 1 if text else 0
    return {0: "no output", 1: "1 line"}.get(count, f"{count} lines")


def tool_input(event: Event) -> dict[str, Any]:
    """Return the input of a call; empty if it is not an object."""
    value = json.loads(event.tool_input or "null")
    return value if isinstance(value, dict) else {}


def _relative(path: str, working_dir: str) -> str:
    """Return a path relative to the working directory if it is inside."""
    relative = os.path.relpath(path, working_dir) if path.startswith("/") else path
    return path if relative.startswith("..") else relative


class Calls:
    """The open tool calls of a session. Unknown calls are looked up, so the database has to be open."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._open: dict[str, Event] = {}
        self._subagents: dict[str, Event] = {}

    @property
    def open(self) -> list[Event]:
        return list(self._open.values())

    def begin(self, call: Event) -> None:
        """Record a call."""
        if call.tool_id is not None:
            self._open[call.tool_id] = call
            if call.tool_name in SUBAGENTS:
                self._subagents[call.tool_id] = call

    def end(self, result: Event) -> Event | None:
        """Return the call that a result belongs to, and close it; None if unknown."""
        tool_id = result.tool_result_for_id or ""
        return self._open.pop(tool_id, None) or events.tool_call(self._session_id, tool_id)

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
