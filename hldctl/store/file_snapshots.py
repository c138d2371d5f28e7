"""Queries on snapshots of files, taken when the Read tool read them."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.store.connection import execute


class SnapshotRow(NamedTuple):
    """A row of the table."""

    session_id: str
    tool_id: str
    file_path: str
    content: str
    created_at: int


INSERT = (
    "INSERT OR IGNORE INTO file_snapshots (session_id, tool_id, file_path, content, created_at) VALUES (?, ?, ?, ?, ?)"
)


def session_snapshots(session_id: str) -> list[SnapshotRow]:
    """Return the snapshots of a session in the order in which they were taken."""
    query = f"SELECT {', '.join(SnapshotRow._fields)} FROM file_snapshots WHERE session_id = ? ORDER BY id"
    return [SnapshotRow._make(row) for row in execute(query, (session_id,))]
