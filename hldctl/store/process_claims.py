"""Processes of another session, in this or another state directory, read through a separate read-only connection."""

from __future__ import annotations

import json
from typing import NamedTuple

import apsw

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.store import completion

_QUERY = """
SELECT completed_at IS NOT NULL AND on_end_pending = 0, boot_id, coalesce(left_running, '[]') FROM sessions WHERE id = ?
"""


class Claim(NamedTuple):
    """The processes that a session claims."""

    has_ended: bool
    boot_id: str | None
    left_running: list[tuple[int, int]]
    """Pid and start time of each process that the session left running."""


def read_claim(state: StateDirectory, session_id: str) -> Claim | None:
    """Return the claim of a session; None if the session is unknown or the database cannot be read."""
    try:
        with completion.open_for_completion(state) as connection:
            row = connection.execute(_QUERY, (session_id,)).fetchone()
    except (apsw.Error, UnfitEnvironment):
        return None
    return None if row is None else Claim(bool(row[0]), row[1], [tuple(pair) for pair in json.loads(row[2])])
