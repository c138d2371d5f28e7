"""Tool calls as short text, and the calls of a session that have no result yet."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from hldctl.cli.output import one_line, truncate
from hldctl.cli.render.events import tool_result
from hldctl.sessions.inspect.tool_calls import key_input
from hldctl.states import ASKING_TOOLS, ApprovalKind
from hldctl.store.events import Event

EDITS = frozenset({"Edit", "MultiEdit", "Write"})

_MAX_NAME_LENGTH = 40
# Read numbers the lines; after the last newline of the file it shows the number of one more.
_LAST_EMPTY_LINE = re.compile(r"(?:\n|^) *\d+\t$")
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
    key, text = key_input(arguments)
    if text is None:
        text = json.dumps(arguments, ensure_ascii=False) if arguments else ""
    elif key in ("file_path", "notebook_path"):
        text = _relative(text, working_dir)
    return truncate(text[: 4 * _MAX_LENGTH], _MAX_LENGTH)


def subagent_name(call: Event) -> str:
    """Return the description that the model gave a subagent; its type or the tool's name if it has none."""
    arguments = tool_input(call)
    texts = (arguments.get("description"), arguments.get("subagent_type"))
    return next((truncate(text, _MAX_NAME_LENGTH) for text in texts if isinstance(text, str) and text), name(call))


def outcome(result: Event, tool: str | None = None) -> str:
    """Return the number of lines of a result; for an error its first line, and the second after a bare exit code.

    `tool` is the name of the tool, if known.
    """
    text = tool_result.text(result).strip()
    if result.is_error:
        first, *others = [one_line(line) for line in text.splitlines()[:20] if line.strip()] or ["failed"]
        hint = f"{first}: {others[0]}" if first.startswith("Exit code") and others else first
        return truncate(hint, _MAX_LENGTH)
    if ASKING_TOOLS.get(tool or "") is ApprovalKind.QUESTION:
        return truncate(" / ".join(line.rpartition(tool_result.ARROW)[2] for line in text.splitlines()), _MAX_LENGTH)
    if tool == "Read":
        text = _LAST_EMPTY_LINE.sub("", result.tool_result_content or "").strip()
    count = text.count("\n") + 1 if text else 0
    return {0: "no output", 1: "1 line"}.get(count, f"{count} lines")


def error_output(result: Event) -> str:
    """Return the output of a failed call below the first line, which `outcome` shows; empty if there is no more."""
    first, _, rest = tool_result.text(result).strip().partition("\n")
    if first.startswith("Exit code") and "\n" not in rest.strip():
        return ""
    return rest


def task_outcome(end: Event) -> str:
    """Return how a task in the background ended: where it ran, or what Claude Code says about a failure."""
    return truncate(end.content or "failed", _MAX_LENGTH) if end.is_error else "in the background"


def tool_input(event: Event) -> dict[str, Any]:
    """Return the input of a call; empty if it is not an object."""
    value = json.loads(event.tool_input or "null")
    return value if isinstance(value, dict) else {}


def _relative(path: str, working_dir: str) -> str:
    """Return a path relative to the working directory if it is inside."""
    relative = os.path.relpath(path, working_dir) if path.startswith("/") else path
    return path if relative.startswith("..") else relative
