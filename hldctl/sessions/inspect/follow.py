"""Reading and following conversations."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from hldctl.errors import NoSuchSession, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.permissions.changes import approval_changes
from hldctl.sessions.supervisors import POLL_SECONDS
from hldctl.store import approvals, feed, sessions
from hldctl.store import events as stored_events
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.database import open_for_reading, refresh
from hldctl.store.events import Event
from hldctl.system.watcher import Wakeup

_BLOCK = 1 << 16


class Resumed(NamedTuple):
    """What was printed of some sessions before."""

    reached: Mapping[str, int]
    """The number of the last event of each session."""
    feed_id: int
    """Permission requests up to this event of the feed were printed, or had been answered."""
    seen: Collection[tuple[str, str]]
    """The id and status of the requests that were printed since."""


class EventRange(NamedTuple):
    """The events of a session to begin with: all, those after a number or since a time, the last N, or a mix."""

    after: int = 0
    last: int | None = None
    since: int | None = None
    """Milliseconds since 1970."""
    resumed: Resumed | None = None
    """Where to continue, if these events were followed before; it takes precedence over the other fields."""


ALL_EVENTS = EventRange()


def conversation_events(
    state: StateDirectory, ids: Sequence[str], wanted: EventRange = ALL_EVENTS, *, follow: bool = False
) -> Iterator[Event]:
    """Yield each session's events; with `follow`, then new ones until all sessions have ended."""
    for _, page in _event_pages(state, ids, wanted, follow=follow):
        yield from page


class Update(NamedTuple):
    """The events since the last update, maybe none. Read them before you take the next update."""

    events: Iterator[Event | Approval]
    ended_ids: Collection[str]
    """The sessions that have ended: this is their last update."""


def events_and_requests(
    state: StateDirectory, ids: Sequence[str], wanted: EventRange = ALL_EVENTS
) -> Iterator[Event | Approval]:
    """Follow the events, and the permission requests that are pending, new or answered."""
    for update in updates(state, ids, wanted):
        yield from update.events


def updates(
    state: StateDirectory,
    ids: Sequence[str],
    wanted: EventRange = ALL_EVENTS,
    *,
    inputs: Callable[[], Sequence[int]] = tuple,
) -> Iterator[Update]:
    """Yield the same as updates: one for each change, one when `inputs` can be read, and one each LOOK_SECONDS.

    `inputs` is called before each wait and returns file descriptors.
    """
    with open_for_reading(state):
        resumed = wanted.resumed
        reached = dict.fromkeys(ids, feed.last_id() if resumed is None else resumed.feed_id)
        seen = set() if resumed is None else set(resumed.seen)
        pending = [
            approval
            for session_id in ids
            for approval in approvals.pending_approvals(current_connection(), session_id)
            if (approval.id, approval.status) not in seen
        ]
        seen |= {(approval.id, approval.status) for approval in pending}
        for ended, page in _event_pages(state, ids, wanted, follow=True, inputs=inputs):
            yield Update(chain(page, pending, _approvals_after(reached, seen)), ended)
            pending = []


def _approvals_after(reached: dict[str, int], yielded: Collection[tuple[str, str]]) -> Iterator[Approval]:
    for session_id in reached:
        for change in approval_changes(reached[session_id], session_id):
            reached[session_id] = change.feed_id
            # A request that came between the two queries at the start has been yielded already.
            if (change.approval.id, change.approval.status) not in yielded:
                yield change.approval


def _event_pages(
    state: StateDirectory,
    ids: Sequence[str],
    wanted: EventRange,
    *,
    follow: bool,
    inputs: Callable[[], Sequence[int]] = tuple,
) -> Iterator[tuple[Collection[str], Iterator[Event]]]:
    """Yield the sessions that have ended, and the new events: once at the start, then after each wake-up."""
    with open_for_reading(state):
        reached = start_sequences(ids, wanted)
        watched: Sequence[int] = inputs()
        wakeup = Wakeup(_existing_signals(state, ids), descriptors=watched) if follow else None
        try:
            while True:
                # Read before the events, so that they include everything before the end.
                ended = _ended_ids(reached)
                yield ended, _new_events(reached)
                for session_id in ended:
                    del reached[session_id]
                if wakeup is None or not reached:
                    return
                supervisors.adopt_lost(state, list(reached))
                if (descriptors := inputs()) == watched:
                    wakeup.wait(POLL_SECONDS)
                    refresh(state)
                else:
                    # Do not wait: a change since the last read woke only the previous Wakeup.
                    wakeup.close()
                    watched, wakeup = (
                        descriptors,
                        Wakeup(_existing_signals(state, list(reached)), descriptors=descriptors),
                    )
        finally:
            if wakeup is not None:
                wakeup.close()


def _new_events(reached: dict[str, int]) -> Iterator[Event]:
    for session_id in reached:
        for event in _events_after(session_id, reached[session_id]):
            yield event
            reached[session_id] = event.sequence


def start_sequences(ids: Sequence[str], wanted: EventRange) -> dict[str, int]:
    """Return the number after which each session's events begin. The database has to be open."""
    return {session_id: _start_sequence(session_id, wanted) for session_id in ids}


def journal_start(state: StateDirectory, session_id: str, last: int | None) -> int:
    """Return the offset in the journal at which the `last` N lines begin; 0 for None."""
    with _open_journal(state.session(session_id).journal) as file:
        return 0 if last is None else _start_of_last_lines(file.fileno(), last)


def journal_blocks(state: StateDirectory, session_id: str, *, start: int = 0, follow: bool = False) -> Iterator[bytes]:
    """Yield the journal's bytes from an offset on; with `follow`, until the session has ended."""
    path = state.session(session_id).journal
    with open_for_reading(state), _open_journal(path) as file:
        file.seek(start)
        wakeup = Wakeup([path, *_existing_signals(state, [session_id])]) if follow else None
        try:
            while True:
                ended = _ended_ids([session_id])
                while block := file.read(_BLOCK):
                    yield block
                if wakeup is None or ended:
                    return
                supervisors.adopt_lost(state, [session_id])
                wakeup.wait(POLL_SECONDS)
                refresh(state)
        finally:
            if wakeup is not None:
                wakeup.close()


def _open_journal(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UnfitEnvironment(f"Cannot read the journal {path}: {error.strerror or error}.") from None


def _ended_ids(ids: Collection[str]) -> set[str]:
    """Return the sessions that have ended; raise NoSuchSession if one was deleted."""
    statuses = sessions.statuses(ids)
    for session_id in ids:
        if session_id not in statuses:
            raise NoSuchSession(f"Session {session_id} was deleted.")
    return {session_id for session_id, status in statuses.items() if status.has_ended}


def _start_sequence(session_id: str, wanted: EventRange) -> int:
    """Return the number after which a session's events begin."""
    if wanted.resumed is not None:
        return wanted.resumed.reached[session_id]
    after = wanted.after
    if wanted.since is not None:
        after = max(after, stored_events.last_sequence_before(session_id, wanted.since))
    return after if wanted.last is None else max(after, stored_events.last_sequence(session_id) - wanted.last)


def _events_after(session_id: str, after: int) -> Iterator[Event]:
    is_last = False
    while not is_last:
        events, is_last = stored_events.events_after(session_id, after)
        yield from events
        after = events[-1].sequence if events else after


def _existing_signals(state: StateDirectory, ids: Sequence[str]) -> list[Path]:
    return [path for session_id in ids if (path := state.session(session_id).change_signal).exists()]


def _start_of_last_lines(descriptor: int, count: int) -> int:
    """Return the offset of the last `count` lines, searching from the end, so that a long journal costs nothing."""
    end = os.fstat(descriptor).st_size
    # A newline at the very end belongs to the last line.
    position, missing = max(0, end - 1), count
    while position > 0 and missing > 0:
        begin = max(0, position - _BLOCK)
        block = os.pread(descriptor, position - begin, begin)
        while missing > 0 and (newline := block.rfind(b"\n")) >= 0:
            block, missing, position = block[:newline], missing - 1, begin + newline
        if missing > 0:
            position = begin
    return end if count == 0 else (position + 1 if missing == 0 else 0)
