"""Sessions that `hldctl open` has open in a terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import NamedTuple

from hldctl.contract.session import OpenedObject
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.system import file_lock
from hldctl.system.clock import format_rfc3339


class Opened(NamedTuple):
    """An `hldctl open` that has a session open."""

    pid: int
    since_ms: int
    """In milliseconds since 1970."""

    def as_object(self) -> OpenedObject:
        """Return the JSON object."""
        return {"pid": self.pid, "since": format_rfc3339(self.since_ms)}


def find_opened(state: StateDirectory, session_ids: Iterable[str]) -> dict[str, Opened]:
    """Return those of these sessions that are open, by id."""
    # As text: a list may have thousands of sessions, and a Path costs more than the call.
    directory = str(state.sessions)
    with_record = [each for each in session_ids if os.path.exists(f"{directory}/{each}/open.json")]
    found = {session_id: _read_holder(state.session(session_id)) for session_id in with_record}
    return {session_id: opened for session_id, opened in found.items() if opened is not None}


def _read_holder(files: SessionFiles) -> Opened | None:
    """Return the holder of the session's terminal; None if it was killed, or ends right now."""
    try:
        record = json.loads(files.open_record.read_bytes())
        opened = Opened(int(record["pid"]), int(record["opened_at"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return None if file_lock.is_free(files.open_lock) else opened
