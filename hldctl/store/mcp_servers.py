"""The MCP servers of sessions, without their secrets."""

from __future__ import annotations

from typing import Any

from hldctl.store.models import McpServerRow

SET_STATUS = (
    "INSERT INTO mcp_servers (session_id, name, status) VALUES (?, ?, ?)"
    " ON CONFLICT (session_id, name) DO UPDATE SET status = excluded.status"
)
"""Also for one that Claude Code found in a configuration of its own."""


def create(session_id: str, servers: list[dict[str, Any]]) -> None:
    if servers:
        McpServerRow.insert_many([{"session_id": session_id, **server} for server in servers]).execute()


def of_session(session_id: str) -> list[McpServerRow]:
    return list(McpServerRow.select().where(McpServerRow.session_id == session_id).order_by(McpServerRow.name))
