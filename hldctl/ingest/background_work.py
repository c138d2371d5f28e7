"""The tasks that run in the background, and whether the model waits for them, as part of the reducer's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hldctl.claude import background_tasks
from hldctl.claude.background_tasks import Task
from hldctl.claude.events import Entry, structured_result
from hldctl.claude.stream import JsonObject, text
from hldctl.ingest.state import ReducerState
from hldctl.states import EventType, NoteKind

# The state is stored with each step, so what could grow with the journal is limited.
_MAX_TASKS = 100
_MAX_TEXT_LENGTH = 200


def apply_task_line(state: ReducerState, event: JsonObject, created_at: int) -> None:
    """Apply a line that starts or lists tasks; call it before the line's entries are added."""
    match event.get("subtype"):
        case "background_tasks_changed":
            listed = background_tasks.listed_tasks(event)[:_MAX_TASKS]
            known = state.tasks or {}
            if listed or known:
                state.tasks = {task.id: known.get(task.id) or _record(task, created_at) for task in listed}
        case "task_started":
            if (task := background_tasks.started_task(event)) is not None:
                _add(state, task, created_at)
        case "init":
            state.turn_ended_at = None


def label_entries(state: ReducerState, event: JsonObject, entries: list[Entry]) -> list[Entry]:
    """Return the entries of a line; a note about a task in the background gets the id of the task's call."""
    match event.get("subtype"):
        case "task_started":
            return [entry._replace(note_kind=NoteKind.TASK_OF_CALL) for entry in entries if _tool_id(event)] or entries
        case "task_notification":
            return [_label_end(state, event, entry) for entry in entries]
    return entries


def _tool_id(event: JsonObject) -> str | None:
    return text(event.get("tool_use_id"))


def _label_end(state: ReducerState, event: JsonObject, entry: Entry) -> Entry:
    task_id = text(event.get("task_id")) or ""
    tool_id = state.background_calls.pop(task_id, None)
    if state.tasks:
        state.tasks.pop(task_id, None)
    if tool_id is None:
        return entry._replace(note_kind=NoteKind.TASK_OF_CALL) if _tool_id(event) else entry
    # The model gets the notification, and begins a turn.
    state.turn_ended_at = None
    if event.get("status") in ("completed", "failed"):
        # Claude Code reports the end before it reports that it works again.
        state.is_idle = False
    is_error = event.get("status") != "completed"
    return entry._replace(note_kind=NoteKind.TASK_ENDED, tool_result_for_id=tool_id, is_error=is_error)


def apply_result(state: ReducerState, entry: Entry, event: JsonObject) -> None:
    """Record which call started a task, from the receipt that is the call's result."""
    task_id = background_tasks.started_task_id(structured_result(event))
    if task_id is not None and entry.tool_result_for_id is not None:
        _link(state, task_id, entry.tool_result_for_id)


def apply_turn(state: ReducerState, kind: Any, entries: Sequence[Entry], created_at: int) -> None:
    """Record whether the model's turn is over: its last block is a text, or a result line came."""
    if kind == "result":
        state.turn_ended_at = state.turn_ended_at or created_at
    elif entries and entries[-1].parent_tool_use_id is None and entries[-1].event_type is not EventType.SYSTEM:
        is_answer = entries[-1].event_type is EventType.MESSAGE and entries[-1].role == "assistant"
        state.turn_ended_at = created_at if is_answer else None


def _add(state: ReducerState, task: Task, created_at: int) -> None:
    tasks = state.tasks = state.tasks or {}
    if task.id in tasks or len(tasks) < _MAX_TASKS:
        tasks[task.id] = tasks.get(task.id) or _record(task, created_at)
    if task.tool_id is not None:
        _link(state, task.id, task.tool_id)


def _link(state: ReducerState, task_id: str, tool_id: str) -> None:
    calls = state.background_calls
    calls[task_id] = tool_id
    if len(calls) > _MAX_TASKS:
        del calls[next(iter(calls))]
    if state.tasks and task_id in state.tasks:
        state.tasks[task_id]["tool_id"] = tool_id


def _record(task: Task, created_at: int) -> dict[str, Any]:
    return {
        "id": task.id[:_MAX_TEXT_LENGTH],
        "kind": task.kind,
        "description": task.description[:_MAX_TEXT_LENGTH],
        "tool_id": task.tool_id,
        "started_at": created_at,
    }
