"""Full-text search over all conversations."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.store.database import open_for_reading
from hldctl.store.search import index as index_file
from hldctl.store.search import terms, update
from hldctl.store.search.index import DamagedIndex, SearchIndex, UnwritableIndex
from hldctl.store.search.matches import Filters, Match, find_matches
from hldctl.system import file_lock
from hldctl.system.detached import start_module

# Rows of the feed that a search indexes itself; it starts a builder for more. They take 0.2 to 0.4 s.
_MAX_ROWS = 5000
_BUSY_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.05
# How long a builder may take to lock the index, and how often another one is started after one that died.
_START_SECONDS = 10.0
_MAX_STARTS = 3
_BUILDER_MODULE = "hldctl.store.search"


@dataclass(frozen=True)
class Building:
    """How far the index is that a search waits for."""

    done: int
    """Changes of the feed that are indexed."""
    total: int
    """Changes that the feed had when the search began."""


def _ignore(_: object) -> None:
    """Do nothing."""


def search(
    state: StateDirectory,
    text: str,
    filters: Filters | None = None,
    *,
    on_progress: Callable[[Building], None] = _ignore,
    on_note: Callable[[str], None] = _ignore,
) -> Generator[Match, None, None]:
    """Yield the events of all sessions that contain the words of the text, newest first.

    Words in quotation marks are a phrase; `*` after a word stands for any continuation of it. Case, accents and
    punctuation do not matter. Everything is found that was recorded before the search: what the index lacks is indexed
    first, in the background if it is much, and `on_progress` is called until then. `on_note` gets sentences for the
    user.

    Raise BadUsage if the text has no words, and UnfitEnvironment if the index cannot be made.
    """
    with open_for_reading(state):
        supervisors.adopt_all_lost(state)
        progress = _Watcher(on_progress, on_note)
        has_found = False
        try:
            for match in _find(state, text, filters or Filters(), progress):
                has_found = True
                yield match
        except DamagedIndex:
            if has_found:
                # What comes next is unknown, and what was found would be found again.
                raise
            on_note("the search index was damaged; it is built again")
            index_file.empty(state)
            yield from _find(state, text, filters or Filters(), progress)


class _Watcher(NamedTuple):
    """Who is notified while the index is made."""

    on_progress: Callable[[Building], None]
    on_note: Callable[[str], None]


def _find(state: StateDirectory, text: str, filters: Filters, watcher: _Watcher) -> Iterator[Match]:
    index = index_file.open_index(state, _BUSY_TIMEOUT_SECONDS, may_create=True)
    assert index is not None
    try:
        wanted = terms.parse(text, index.tokenizer.words)
        if not wanted:
            raise BadUsage("There is nothing to search for: give a word with letters or digits.")
        _catch_up(state, index, watcher)
        yield from find_matches(index, wanted, filters)
    finally:
        index.close()


def _catch_up(state: StateDirectory, index: SearchIndex, watcher: _Watcher) -> None:
    """Index what the index lacks, or have a builder do it and wait."""
    lag = update.measure_lag(index)
    try:
        if lag.rows > _MAX_ROWS:
            _await_builder(state, index, lag.last, watcher.on_progress)
        else:
            while lag.rows and update.index_batch(index):
                lag = update.Lag(update.measure_lag(index).reached, lag.last)
    except UnwritableIndex as error:
        watcher.on_note(f"the newest {lag.rows} changes are not searched: {error}")


def _await_builder(
    state: StateDirectory, index: SearchIndex, last: int, on_progress: Callable[[Building], None]
) -> None:
    """Wait until everything up to this row of the feed is indexed; start a builder if none runs."""
    starts = 0
    started_at = reached = 0.0
    while True:
        reached = update.measure_lag(index).reached
        on_progress(Building(min(int(reached), last), last))
        if reached >= last:
            return
        now = time.monotonic()
        if file_lock.is_free(state.search_lock) and now - started_at > (_START_SECONDS if starts else 0):
            if starts == _MAX_STARTS:
                raise UnfitEnvironment(f"The search index could not be built; the reason is in {state.search_log}.")
            _start_builder(state)
            starts, started_at = starts + 1, now
        time.sleep(_POLL_SECONDS)


def _start_builder(state: StateDirectory) -> None:
    """Start a process that builds the index and outlives this one."""
    try:
        start_module(state, _BUILDER_MODULE, state.search_log)
    except OSError as error:
        raise UnfitEnvironment(f"The search index cannot be built: {error.strerror or error}.") from None
