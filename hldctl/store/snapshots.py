"""What files held when the Read tool showed them."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.store.models import FileSnapshot


class SnapshotRow(NamedTuple):
    session_id: str
    tool_id: str
    file_path: str
    content: str
    created_at: int


INSERT = (
    "INSERT OR IGNORE INTO file_snapshots (session_id, tool_id, file_path, content, created_at) VALUES (?, ?, ?, ?, ?)"
)


def of_session(session_id: str) -> list[FileSnapshot]:
    """In the order in which they were taken."""
    return list(FileSnapshot.select().where(FileSnapshot.session_id == session_id).order_by(FileSnapshot.id))
