"""A snapshot of many sessions, and a new one after each change."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.inspect import activity
from hldctl.sessions.inspect.activity import Activity
from hldctl.sessions.supervisors import POLL_SECONDS
from hldctl.store import sessions
from hldctl.store.admission import limits
from hldctl.store.admission.limits import Gate
from hldctl.store.database import files_to_watch, open_for_reading, refresh
from hldctl.store.session import Session
from hldctl.store.session_list import Listing, find_sessions
from hldctl.system.watcher import Wakeup

_OUTCOME_CHARS = 200
# The minimum time between two snapshots: twenty busy sessions commit some hundred times a second, faster than anybody
# can read.
_MIN_INTERVAL_SECONDS = 0.2

IDLE_SECONDS = 60.0
"""The maximum time between two snapshots while nothing runs: SQLite writes its log before others can see the change."""


@dataclass(frozen=True)
class Overview:
    """The listed sessions, and the activities of all running ones."""

    sessions: Sequence[Session]
    activities: Mapping[str, Activity]
    """The activity of each session that has not ended, listed or not."""
    outcomes: Mapping[str, str]
    """The beginning of the error or result of each session that has ended."""
    gates: Sequence[Gate] = ()
    """The accounts that the API refuses."""


def load_overview(listing: Listing) -> Overview:
    """Return the present overview."""
    listed = find_sessions(listing)
    outcomes = sessions.outcomes([session.id for session in listed], _OUTCOME_CHARS)
    return Overview(listed, activity.load_activities(), outcomes, limits.list_gates())


def follow_overview(state: StateDirectory, listing: Listing, also: Sequence[Path] = ()) -> Iterator[Overview]:
    """Yield overviews forever: after each change or touch of the files `also`, and each second while a session runs."""
    with open_for_reading(state):
        # Wake up after a commit of any session, as in `feed`.
        files = [*files_to_watch(state), *also]
        with closing(Wakeup(files)) as wakeup:
            while True:
                supervisors.adopt_all_lost(state)
                overview = load_overview(listing)
                yield overview
                time.sleep(_MIN_INTERVAL_SECONDS)
                wakeup.wait(POLL_SECONDS - _MIN_INTERVAL_SECONDS if overview.activities else IDLE_SECONDS)
                refresh(state)
