"""Reading and following the feed of all changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.supervisors import POLL_SECONDS
from hldctl.states import FeedType
from hldctl.store import feed
from hldctl.store.database import files_to_watch, open_for_reading, refresh
from hldctl.store.feed import FeedEvent
from hldctl.system.watcher import Wakeup

_PAGE = 500


def last_id(state: StateDirectory) -> int:
    """Return the id of the newest event; 0 without events."""
    with open_for_reading(state):
        return feed.last_id()


def feed_events(
    state: StateDirectory,
    *,
    after: int = 0,
    types: Sequence[FeedType] = (),
    session_id: str | None = None,
    follow: bool = False,
) -> Iterator[FeedEvent]:
    """Yield the events after the id `after`, in order; with `follow`, forever. A slow reader does not miss any."""
    with open_for_reading(state):
        wakeup = Wakeup(files_to_watch(state)) if follow else None
        try:
            while True:
                while page := feed.feed_after(after, _PAGE, types=types, session_id=session_id):
                    yield from page
                    after = page[-1].id
                if wakeup is None:
                    return
                supervisors.adopt_all_lost(state)
                wakeup.wait(POLL_SECONDS)
                refresh(state)
        finally:
            if wakeup is not None:
                wakeup.close()
