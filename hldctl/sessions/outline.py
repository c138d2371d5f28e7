"""A session's conversation in the order in which it is told: a call with its result, a subagent's events within it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hldctl.states import EventType
from hldctl.store import events
from hldctl.store.events import Event, Line

_DEEPEST = 4
"""Levels of subagents; what is deeper stands where these do."""


@dataclass(frozen=True)
class Begin:
    """An event. What follows is within it until the End, if it `has_inner`."""

    event: Event
    result: Event | None = None
    has_inner: bool = False


@dataclass(frozen=True)
class End:
    """Of the innermost event that has others within it."""


@dataclass
class Outline:
    """Of the events that were there when it was made. To be used while the database is open.

    It holds numbers only, so that a long conversation needs little memory.
    """

    session_id: str
    prompts: list[Line] = field(default_factory=list)
    """What the user said."""
    failed: list[Line] = field(default_factory=list)
    """The calls whose result is an error."""
    tools: Counter[str] = field(default_factory=Counter)
    """How often each was called."""
    _results: dict[int, int] = field(default_factory=dict)
    """By call."""
    _within: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By the call of a subagent; within nothing is the conversation itself."""

    def told(self) -> Iterator[Begin | End]:
        yield from self._told(self._within[_NOTHING])

    def _told(self, sequences: Sequence[int]) -> Iterator[Begin | End]:
        for sequence in sequences:
            # A journal may be folded anew meanwhile.
            if (event := events.at(self.session_id, sequence)) is None:
                continue
            inner = self._within.get(sequence, ())
            result = self._results.get(sequence)
            yield Begin(event, events.at(self.session_id, result) if result else None, bool(inner))
            if inner:
                yield from self._told(inner)
                yield End()


_NOTHING = 0
"""The number of no event."""


def read(session_id: str) -> Outline:
    outline = Outline(session_id)
    calls: dict[str, Line] = {}
    homes: dict[str, tuple[int, int]] = {}
    """By call, below which event its subagent's stand, and how deep."""
    for line in events.outline(session_id):
        # Only calls that came before: nothing is within itself then.
        home, depth = homes.get(line.parent_tool_use_id or "", (_NOTHING, 0))
        call = calls.get(line.tool_result_for_id or "")
        if line.event_type == EventType.TOOL_RESULT and call is not None and call.sequence not in outline._results:
            outline._results[call.sequence] = line.sequence
            if line.is_error:
                outline.failed.append(call)
            continue
        outline._within[home].append(line.sequence)
        if line.event_type == EventType.TOOL_CALL:
            outline.tools[line.tool_name or ""] += 1
            if line.tool_id and line.tool_id not in calls:
                calls[line.tool_id] = line
                homes[line.tool_id] = (line.sequence, depth + 1) if depth < _DEEPEST else (home, depth)
        elif line.event_type == EventType.MESSAGE and line.role == "user" and not line.parent_tool_use_id:
            outline.prompts.append(line)
    return outline
