"""Reading conversations, and following them while they grow."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from hldctl.errors import NoSuchSession, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.permissions.changes import approval_changes
from hldctl.sessions.wait import LOOK_SECONDS
from hldctl.states import ApprovalStatus
from hldctl.store import approvals, feed, sessions
from hldctl.store import events as stored_events
from hldctl.store.approvals import Approval
from hldctl.store.connection import current
from hldctl.store.database import reading, refresh
from hldctl.store.events import Event
from hldctl.system.watcher import Wakeup

_BLOCK = 1 << 16


def events(
    state: StateDirectory, ids: Sequence[str], *, after: int = 0, last: int | None = None, follow: bool = False
) -> Iterator[Event]:
    """The events behind `after`, or the `last` few, of each session; with `follow` until all have ended."""
    for _, page in _news(state, ids, after=after, last=last, follow=follow):
        yield from page


@dataclass(frozen=True)
class Round:
    """What has come since the last look, maybe nothing; it is to be read before the next round."""

    news: Iterator[Event | Approval]
    ended: Collection[str]
    """The sessions of which this is the last."""


def with_approvals(
    state: StateDirectory, ids: Sequence[str], *, after: int = 0, last: int | None = None
) -> Iterator[Event | Approval]:
    """Follows the events, and behind them the permission requests that wait, come, or are answered."""
    for one in rounds(state, ids, after=after, last=last):
        yield from one.news


def rounds(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    after: int = 0,
    last: int | None = None,
    inputs: Callable[[], Sequence[int]] = tuple,
) -> Iterator[Round]:
    """The same, round by round: one with each change, one when `inputs` can be read, and one each LOOK_SECONDS.

    Which descriptors these are is asked before each wait.
    """
    with reading(state):
        reached = dict.fromkeys(ids, feed.last_id())
        waiting = [found for session_id in ids for found in approvals.pending(current(), session_id)]
        for ended, page in _news(state, ids, after=after, last=last, follow=True, inputs=inputs):
            yield Round(chain(page, waiting, _approvals_behind(reached, {approval.id for approval in waiting})), ended)
            waiting = []


def _approvals_behind(reached: dict[str, int], shown: Collection[str]) -> Iterator[Approval]:
    for session_id in reached:
        for change in approval_changes(reached[session_id], session_id):
            reached[session_id] = change.feed_id
            # One that came between the two looks at the beginning.
            if change.approval.status != ApprovalStatus.PENDING or change.approval.id not in shown:
                yield change.approval


def _news(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    after: int,
    last: int | None,
    follow: bool,
    inputs: Callable[[], Sequence[int]] = tuple,
) -> Iterator[tuple[Collection[str], Iterator[Event]]]:
    """What is there, and then with each wake-up what has come; before it whom nothing more will come of."""
    with reading(state):
        reached = {session_id: _start(session_id, after, last) for session_id in ids}
        watched: Sequence[int] = inputs()
        wakeup = Wakeup(_existing_changed(state, ids), descriptors=watched) if follow else None
        try:
            while True:
                # Looked at before the events are read: what came before the end is then among them.
                ended = _ended(reached)
                yield ended, _all_behind(reached)
                for session_id in ended:
                    del reached[session_id]
                if wakeup is None or not reached:
                    return
                supervisors.adopt_lost(state, list(reached))
                if (wanted := inputs()) == watched:
                    wakeup.wait(LOOK_SECONDS)
                    refresh(state)
                else:
                    # No wait: what has happened since the last look woke only the former.
                    wakeup.close()
                    watched, wakeup = wanted, Wakeup(_existing_changed(state, list(reached)), descriptors=wanted)
        finally:
            if wakeup is not None:
                wakeup.close()


def _all_behind(reached: dict[str, int]) -> Iterator[Event]:
    for session_id in reached:
        for event in _pages(session_id, reached[session_id]):
            yield event
            reached[session_id] = event.sequence


def journal(
    state: StateDirectory, session_id: str, *, last: int | None = None, follow: bool = False
) -> Iterator[bytes]:
    """The journal's bytes, all or from the `last` few lines on; with `follow` until the session has ended."""
    path = state.session(session_id).journal
    with reading(state), _opened_journal(path) as file:
        if last is not None:
            file.seek(_start_of_last_lines(file.fileno(), last))
        wakeup = Wakeup([path, *_existing_changed(state, [session_id])]) if follow else None
        try:
            while True:
                ended = _ended([session_id])
                while block := file.read(_BLOCK):
                    yield block
                if wakeup is None or ended:
                    return
                supervisors.adopt_lost(state, [session_id])
                wakeup.wait(LOOK_SECONDS)
                refresh(state)
        finally:
            if wakeup is not None:
                wakeup.close()


def _opened_journal(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UnfitEnvironment(f"The journal {path} cannot be read: {error.strerror or error}.") from None


def _ended(ids: Collection[str]) -> set[str]:
    """Those that have ended; raises NoSuchSession for one that was deleted."""
    statuses = sessions.statuses(ids)
    for session_id in ids:
        if session_id not in statuses:
            raise NoSuchSession(f"Session {session_id} was deleted.")
    return {session_id for session_id, status in statuses.items() if status.has_ended}


def _start(session_id: str, after: int, last: int | None) -> int:
    if last is None:
        return after
    return max(after, stored_events.last_sequence(session_id) - last)


def _pages(session_id: str, after: int) -> Iterator[Event]:
    is_last = False
    while not is_last:
        events, is_last = stored_events.after(session_id, after)
        yield from events
        after = events[-1].sequence if events else after


def _existing_changed(state: StateDirectory, ids: Sequence[str]) -> list[Path]:
    return [path for session_id in ids if (path := state.session(session_id).change_signal).exists()]


def _start_of_last_lines(descriptor: int, count: int) -> int:
    """Where the last `count` lines begin, found from the end so that a long journal costs nothing."""
    end = os.fstat(descriptor).st_size
    # A newline at the very end closes the last line rather than opening another.
    position, wanted = max(0, end - 1), count
    while position > 0 and wanted > 0:
        begin = max(0, position - _BLOCK)
        block = os.pread(descriptor, position - begin, begin)
        while wanted > 0 and (newline := block.rfind(b"\n")) >= 0:
            block, wanted, position = block[:newline], wanted - 1, begin + newline
        if wanted > 0:
            position = begin
    return end if count == 0 else (position + 1 if wanted == 0 else 0)
