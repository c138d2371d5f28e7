"""Reading and following the feed of all changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.inspect.activity import Activity, load_activities
from hldctl.sessions.supervisors import POLL_SECONDS
from hldctl.states import FeedType
from hldctl.store import approvals, events, feed, messages
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.database import files_to_watch, open_for_reading, refresh
from hldctl.store.events import Event
from hldctl.store.feed import FeedEvent
from hldctl.store.messages import Message
from hldctl.system.watcher import Wakeup

_PAGE = 500


def last_id(state: StateDirectory) -> int:
    """Return the id of the newest event; 0 without events."""
    with open_for_reading(state):
        return feed.last_id()


class Wanted(NamedTuple):
    """Which events to read."""

    after: int = 0
    """The id after which to begin."""
    types: tuple[FeedType, ...] = ()
    """Their types; empty for all."""
    session_id: str | None = None
    """The session that they are about; None for all."""


def feed_events(state: StateDirectory, wanted: Wanted, *, follow: bool = False) -> Iterator[FeedEvent]:
    """Yield the wanted events, in order; with `follow`, forever. A slow reader does not miss any."""
    for page in _pages(state, wanted, follow=follow):
        yield from page


class Change(NamedTuple):
    """An event of the feed and what it is about, as that is when the event is read."""

    event: FeedEvent
    activity: Activity | None = None
    """What the session is doing; None if it has ended or was deleted."""
    conversation_event: Event | None = None
    """The new event; None for an event of the feed of another type, and if the session was deleted."""
    approval: Approval | None = None
    """The new or answered request; None as above."""
    message: Message | None = None
    """The message that has changed; None as above."""


def changes(state: StateDirectory, wanted: Wanted, *, follow: bool = False) -> Iterator[Change]:
    """Yield the events that `feed_events` yields, each with what it is about."""
    for page in _pages(state, wanted, follow=follow):
        activities = load_activities()
        for event in page:
            yield Change(
                event,
                activities.get(event.session_id),
                _conversation_event(event),
                _approval(event),
                _message(event),
            )


def _conversation_event(event: FeedEvent) -> Event | None:
    is_one = event.type == FeedType.CONVERSATION_UPDATED
    return events.event_at(event.session_id, event.data["sequence"]) if is_one else None


def _approval(event: FeedEvent) -> Approval | None:
    is_one = event.type in (FeedType.NEW_APPROVAL, FeedType.APPROVAL_RESOLVED)
    return approvals.get(current_connection(), event.data["approval_id"]) if is_one else None


def _message(event: FeedEvent) -> Message | None:
    return messages.get(event.data["id"]) if event.type == FeedType.MESSAGE_CHANGED else None


def _pages(state: StateDirectory, wanted: Wanted, *, follow: bool) -> Iterator[list[FeedEvent]]:
    after = wanted.after
    with open_for_reading(state):
        wakeup = Wakeup(files_to_watch(state)) if follow else None
        try:
            while True:
                while page := feed.feed_after(after, _PAGE, types=wanted.types, session_id=wanted.session_id):
                    yield page
                    after = page[-1].id
                if wakeup is None:
                    return
                supervisors.adopt_all_lost(state)
                wakeup.wait(POLL_SECONDS)
                refresh(state)
        finally:
            if wakeup is not None:
                wakeup.close()
