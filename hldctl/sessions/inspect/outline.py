"""A session's conversation in reading order: each call with its result and its subagent's events."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hldctl.states import EventType, NoteKind
from hldctl.store import events
from hldctl.store.events import Event, OutlineEntry

# Levels of subagents; deeper ones are shown at this level.
_MAX_DEPTH = 4


@dataclass(frozen=True)
class Begin:
    """An event. If it `has_inner`, the events up to its End are nested in it."""

    event: Event
    result: Event | None = None
    task_end: Event | None = None
    """The end of the task that the call started in the background."""
    has_inner: bool = False


@dataclass(frozen=True)
class End:
    """The end of the innermost open event with nested events."""


@dataclass
class Outline:
    """The structure of a conversation at the time of its creation. Use it while the database is open.

    It holds only sequence numbers, so that a long conversation needs little memory.
    """

    session_id: str
    prompts: list[OutlineEntry] = field(default_factory=list)
    """The user's messages."""
    failed: list[OutlineEntry] = field(default_factory=list)
    """The calls whose result is an error."""
    tools: Counter[str] = field(default_factory=Counter)
    """The number of calls of each tool."""
    # The result of each call.
    _results: dict[int, int] = field(default_factory=dict)
    # The end of the task in the background of each call.
    _task_ends: dict[int, int] = field(default_factory=dict)
    # The events of each subagent, by its call; those of the main conversation under _NO_EVENT.
    _children: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def walk(self) -> Iterator[Begin | End]:
        """Yield the events in reading order."""
        yield from self._walk(self._children[_NO_EVENT])

    def _walk(self, sequences: Sequence[int]) -> Iterator[Begin | End]:
        for sequence in sequences:
            # The journal may have been replayed since.
            if (event := events.event_at(self.session_id, sequence)) is None:
                continue
            inner = self._children.get(sequence, ())
            result, task_end = self._find(self._results, sequence), self._find(self._task_ends, sequence)
            yield Begin(event, result, task_end, bool(inner))
            if inner:
                yield from self._walk(inner)
                yield End()

    def _find(self, numbers: Mapping[int, int], call: int) -> Event | None:
        return events.event_at(self.session_id, numbers[call]) if call in numbers else None


# Not a sequence number of any event.
_NO_EVENT = 0


def load_outline(session_id: str) -> Outline:
    """Return the outline of the session's conversation."""
    outline = Outline(session_id)
    calls: dict[str, OutlineEntry] = {}
    # By call: the event that its subagent's events are nested in, and their depth.
    parents: dict[str, tuple[int, int]] = {}
    for line in events.outline(session_id):
        # Only earlier calls count, so that an event is never nested in itself.
        parent, depth = parents.get(line.parent_tool_use_id or "", (_NO_EVENT, 0))
        call = calls.get(line.tool_result_for_id or "")
        if line.note_kind == NoteKind.TASK_OF_CALL:
            continue
        if line.note_kind == NoteKind.TASK_ENDED and call is not None:
            outline._task_ends[call.sequence] = line.sequence
            if line.is_error:
                outline.failed.append(call)
            continue
        if line.event_type == EventType.TOOL_RESULT and call is not None and call.sequence not in outline._results:
            outline._results[call.sequence] = line.sequence
            if line.is_error:
                outline.failed.append(call)
            continue
        outline._children[parent].append(line.sequence)
        if line.event_type == EventType.TOOL_CALL:
            outline.tools[line.tool_name or ""] += 1
            if line.tool_id and line.tool_id not in calls:
                calls[line.tool_id] = line
                parents[line.tool_id] = (line.sequence, depth + 1) if depth < _MAX_DEPTH else (parent, depth)
        elif line.event_type == EventType.MESSAGE and line.role == "user" and not line.parent_tool_use_id:
            outline.prompts.append(line)
    return outline
