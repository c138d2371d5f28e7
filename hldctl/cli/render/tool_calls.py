"""A tool call in a few words: what it is called, on what, and what came of it.

A session's tool calls while its conversation is shown: which have no result yet, and whose calls they are."""

from __future__ import annotations

import json
import os
from typing import Any

from hldctl.cli.output import one_line, shortened
from hldctl.store import events
from hldctl.store.events import Event

SUBAGENTS = frozenset({"Agent", "Task"})
EDITS = frozenset({"Edit", "MultiEdit", "Write"})

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
"""What of its input tells most; of other tools it is the first text in it."""

_LONGEST_NAME = 40
_LONGEST = 500
"""Characters; a terminal shows as many of them as fit."""


def name(event: Event) -> str:
    """`server:tool` for `mcp__server__tool`."""
    called = event.tool_name or ""
    if called.startswith("mcp__"):
        called = ":".join(part for part in called.removeprefix("mcp__").split("__", 1) if part)
    return shortened(called, _LONGEST_NAME) or "tool"


def argument(event: Event, working_dir: str) -> str:
    given = tool_input(event)
    key = _ARGUMENTS.get(event.tool_name or "")
    chosen = given.get(key) if key else None
    if not isinstance(chosen, str):
        chosen = next((value for value in given.values() if isinstance(value, str) and value), None)
    if chosen is None:
        chosen = json.dumps(given, ensure_ascii=False) if given else ""
    elif key in ("file_path", "notebook_path"):
        chosen = _relative(chosen, working_dir)
    return shortened(chosen[: 4 * _LONGEST], _LONGEST)


def outcome(result: Event) -> str:
    """The number of lines; of an error what it says first, and whatever stands behind a bare exit code."""
    text = (result.tool_result_content or "").strip()
    if result.is_error:
        first, *others = [one_line(line) for line in text.splitlines()[:20] if line.strip()] or ["failed"]
        hint = f"{first}: {others[0]}" if first.startswith("Exit code") and others else first
        return shortened(hint.removeprefix("<tool_use_error>").removesuffix("</tool_use_error>"), _LONGEST)
    count = text.count("\n") + 1 if text else 0
    return {0: "no output", 1: "1 line"}.get(count, f"{count} lines")


def tool_input(event: Event) -> dict[str, Any]:
    value = json.loads(event.tool_input or "null")
    return value if isinstance(value, dict) else {}


def _relative(path: str, working_dir: str) -> str:
    """As one would type it in the working directory, if it is below."""
    inside = os.path.relpath(path, working_dir) if path.startswith("/") else path
    return path if inside.startswith("..") else inside


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
            if call.tool_name in SUBAGENTS:
                self._subagents[call.tool_id] = call

    def end(self, result: Event) -> Event | None:
        """The call that the result is for."""
        tool_id = result.tool_result_for_id or ""
        return self._open.pop(tool_id, None) or events.call(self._session_id, tool_id)

    def parent(self, event: Event) -> Event | None:
        """The call of the subagent that the event is from."""
        if (tool_id := event.parent_tool_use_id) is None:
            return None
        if tool_id not in self._subagents and (found := events.call(self._session_id, tool_id)) is not None:
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
