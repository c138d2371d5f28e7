"""Adding to the feed, by the driver alone: the permission hook has no time to load peewee."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import apsw

from hldctl.states import FeedType

_INSERT = "INSERT INTO feed (type, session_id, run_id, timestamp, data) VALUES (?, ?, ?, ?, ?)"

Change = tuple[FeedType, str, str, int, dict[str, Any]]
"""Type, session, run, milliseconds, data."""


def publish(connection: apsw.Connection | apsw.Cursor, changes: Iterable[Change]) -> None:
    """To be called inside of the transaction that makes the changes."""
    rows = [(str(kind), session, run, moment, json.dumps(data)) for kind, session, run, moment, data in changes]
    connection.executemany(_INSERT, rows)
