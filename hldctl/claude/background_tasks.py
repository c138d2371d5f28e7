"""The lines and tool results that are about tasks in the background: commands and agents that outlast their call."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.claude.stream import JsonObject, mapping, sequence, text
from hldctl.states import TaskKind

_KINDS = {"local_bash": TaskKind.COMMAND, "local_agent": TaskKind.AGENT}
# Texts of 2.1.331, for a line with several results: its structured data belongs to one of them.
_RECEIPTS = ("Async agent launched successfully.", "Command running in background with ID: ")


class Task(NamedTuple):
    """A task, as a line describes it."""

    id: str
    kind: TaskKind
    description: str
    tool_id: str | None
    """The call that started it; None if the line does not name it."""


def listed_tasks(event: JsonObject) -> list[Task]:
    """Return the tasks that run in the background, from a line `background_tasks_changed`."""
    return [task for item in sequence(event.get("tasks")) if (task := _task(mapping(item))) is not None]


def started_task(event: JsonObject) -> Task | None:
    """Return the task of a line `task_started`; None if its call waits for it, as for each command of a subagent."""
    return _task(event) if event.get("is_backgrounded") is True else None


def started_task_id(structured: JsonObject) -> str | None:
    """Return the id of the task that a call has started, from the structured data of its result; None if none."""
    if (task_id := text(structured.get("backgroundTaskId"))) is not None:
        return task_id
    return text(structured.get("agentId")) if structured.get("isAsync") is True else None


def is_receipt(result_text: str, structured: JsonObject) -> bool:
    """Return whether a tool result only says that a task was started: Claude Code's words to the model."""
    if structured:
        return started_task_id(structured) is not None
    return result_text.startswith(_RECEIPTS)


def _task(item: JsonObject) -> Task | None:
    if (task_id := text(item.get("task_id"))) is None:
        return None
    kind = _KINDS.get(text(item.get("task_type")) or "", TaskKind.OTHER)
    return Task(task_id, kind, text(item.get("description")) or "", text(item.get("tool_use_id")))
