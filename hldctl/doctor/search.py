"""Check of the search index, which can be built again at any time."""

from __future__ import annotations

from contextlib import closing

from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings, ok_finding
from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.store.search import index as index_file
from hldctl.store.search.index import DamagedIndex

_BUSY_TIMEOUT_SECONDS = 5.0
_ADVICE = "Run `hldctl doctor --fix`: it empties the file, and the next `hldctl search` builds the index again."


def examine(state: StateDirectory) -> Findings:
    try:
        index = index_file.open_index(state, _BUSY_TIMEOUT_SECONDS, may_create=False)
        if index is None:
            yield ok_finding("search", "no index yet; the first `hldctl search` builds it")
            return
        with closing(index):
            index.check()
    except DamagedIndex:
        message = f"{state.search_index} is damaged; nothing but searches needs it"
        yield Finding("search", Level.ERROR, message, _ADVICE, lambda: index_file.empty(state))
    except UnfitEnvironment as error:
        yield Finding("search", Level.WARNING, str(error))
    else:
        yield ok_finding("search", f"index intact, {state.search_index.stat().st_size / (1 << 20):.1f} MB")
