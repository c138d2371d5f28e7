"""Queries on the worktrees of sessions."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from hldctl.store.connection import execute, transaction


def of_sessions(session_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the worktree of each of these sessions that has one, by session id."""
    rows = execute(
        "SELECT id, worktree FROM sessions WHERE worktree IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(session_ids)),),
    )
    return {session_id: json.loads(column) for session_id, column in rows}


def all_worktrees() -> dict[str, dict[str, Any]]:
    """Return all worktrees, by session id, oldest session first."""
    rows = execute("SELECT id, worktree FROM sessions WHERE worktree IS NOT NULL ORDER BY created_at, rowid")
    return {session_id: json.loads(column) for session_id, column in rows}


def sharing(path: str) -> list[str]:
    """Return the ids of the sessions that work in the worktree at this path, oldest first."""
    rows = execute(
        "SELECT id FROM sessions WHERE worktree IS NOT NULL AND json_extract(worktree, '$.path') = ?"
        " ORDER BY created_at, rowid",
        (path,),
    )
    return [row[0] for row in rows]


def add(session_ids: Collection[str], values: dict[str, Any]) -> None:
    """Add values to what is recorded about the worktree of these sessions."""
    with transaction():
        execute(
            "UPDATE sessions SET worktree = json_patch(worktree, ?)"
            " WHERE worktree IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
            (json.dumps(values), json.dumps(list(session_ids))),
        )
