"""Positions in the output of a command that another machine reads, so that it can resume after a broken connection.

A command that can be resumed reports what it has printed by marks in its standard output: a NUL byte, which no output
of hldctl contains, and a JSON object on a line. The machine that reads removes them, adds them up, and sends the sum
with the next request. Commands on their own machine print no marks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

if TYPE_CHECKING:
    from hldctl.store.approvals import Approval
    from hldctl.store.events import Event

MARK = b"\0"

# The stream for marks: commands may redirect sys.stdout.
_streams: list[TextIO] = []
_resumed: list[Position] = []


class Position(NamedTuple):
    """How far the output of a command has been read."""

    ids: tuple[str, ...] = ()
    """The sessions that the command was given: `last` may be another one by now."""
    reached: Mapping[str, int] = {}
    """The number of the last event of each session."""
    feed: int = 0
    """The id of a feed event: everything up to it was printed, or was there at the start."""
    seen: frozenset[tuple[str, str]] = frozenset()
    """The id and status of the permission requests that were printed since."""
    offset: int = 0
    """Bytes of the journal."""
    is_last_mark: bool = False
    """True if no marks follow, so that a NUL byte is data: the output is a journal, or results."""
    waited_seconds: float = 0

    def advance(self, mark: Mapping[str, Any]) -> Position:
        """Return the position after this mark."""
        match mark:
            case {"ids": _}:
                return Position.from_json(mark)
            case {"at": [session_id, sequence]}:
                return self._replace(reached={**self.reached, session_id: sequence})
            case {"seen": [approval_id, status]}:
                return self._replace(seen=self.seen | {(approval_id, status)})
            case {"feed": feed}:
                return self._replace(feed=feed)
        return self

    def to_json(self) -> dict[str, Any]:
        return self._asdict() | {"seen": sorted(self.seen)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Position:
        known = {name: value[name] for name in cls._fields if name in value}
        seen = frozenset((approval_id, status) for approval_id, status in value.get("seen", ()))
        return cls(**known)._replace(ids=tuple(value.get("ids", ())), seen=seen)


def enable(stream: TextIO, resumed: Position | None) -> None:
    """Print marks to this stream from now on; `resumed` is the position of a command that is run again."""
    _streams[:] = [stream]
    _resumed[:] = [] if resumed is None else [resumed]


def is_enabled() -> bool:
    return bool(_streams)


def resumed_position() -> Position | None:
    """Return the position to continue at; None for a command that starts."""
    return _resumed[0] if _resumed else None


def mark_start(position: Position) -> None:
    """Mark the start of the output. The position has the sessions, and where their output begins."""
    _print(position.to_json())


def mark_item(item: Event | Approval) -> None:
    """Mark an event of a conversation, or a permission request with its present status, as printed."""
    if not _streams:
        return
    # Imported here: a command on its own machine does not need them.
    from hldctl.store.events import Event

    if isinstance(item, Event):
        _print({"at": [item.session_id, item.sequence]})
    else:
        _print({"seen": [item.id, item.status]})


def mark_feed(feed_id: int) -> None:
    """Mark an event of the feed as printed."""
    _print({"feed": feed_id})


def _print(mark: Mapping[str, Any]) -> None:
    for stream in _streams:
        # ASCII, and on one line.
        stream.write(f"{MARK.decode()}{json.dumps(mark)}\n")
        stream.flush()
