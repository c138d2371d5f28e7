"""What there is to see of many sessions at this moment, and whenever it has changed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hldctl.paths import StateDirectory
from hldctl.sessions import activity, supervisors
from hldctl.sessions.activity import Activity
from hldctl.sessions.wait import LOOK_SECONDS
from hldctl.store import sessions
from hldctl.store.database import changing_files, reading, refresh
from hldctl.store.session import Session
from hldctl.store.session_list import Listing, matching
from hldctl.system.watcher import Wakeup

_OUTCOME = 200
"""Characters."""
_CALM_SECONDS = 0.2
"""Between two looks: twenty busy sessions commit some hundred times a second, and nobody reads as fast."""


IDLE_SECONDS = 60.0
"""Between two looks while nothing runs: SQLite writes its log before others see what is in it."""


@dataclass(frozen=True)
class Overview:
    sessions: Sequence[Session]
    doing: Mapping[str, Activity]
    """Of all that have not ended, whether they are listed or not."""
    outcomes: Mapping[str, str]
    """The beginning of the error or the result of each that has ended."""


def look(listing: Listing) -> Overview:
    found = matching(listing)
    return Overview(found, activity.of_all(), sessions.outcomes([session.id for session in found], _OUTCOME))


def followed(state: StateDirectory, listing: Listing, also: Sequence[Path] = ()) -> Iterator[Overview]:
    """For ever: after each change, after a touch of the files `also`, and while clocks run every second."""
    with reading(state):
        # Any session's commit, as in `feed`.
        files = [*changing_files(state), *also]
        with closing(Wakeup(files)) as wakeup:
            while True:
                supervisors.adopt_all_lost(state)
                seen = look(listing)
                yield seen
                time.sleep(_CALM_SECONDS)
                wakeup.wait(LOOK_SECONDS - _CALM_SECONDS if seen.doing else IDLE_SECONDS)
                refresh(state)
