"""Writes to the feed, without peewee: the permission hook has no time to load it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import apsw

from hldctl.states import FeedType

_INSERT = "INSERT INTO feed (type, session_id, run_id, timestamp, data) VALUES (?, ?, ?, ?, ?)"

Change = tuple[FeedType, str, str, int, dict[str, Any]]
"""Type, session id, run id, milliseconds since 1970, data."""


def publish(connection: apsw.Connection | apsw.Cursor, changes: Iterable[Change]) -> None:
    """Add changes to the feed; call it inside the transaction that makes them."""
    rows = [(str(kind), session, run, timestamp, json.dumps(data)) for kind, session, run, timestamp, data in changes]
    connection.executemany(_INSERT, rows)
