"""Queries on the MCP servers of sessions, which are stored without their secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from hldctl.store.connection import execute, insert


class McpServerRow(NamedTuple):
    """A row of the table."""

    name: str
    transport: str | None
    command: str | None
    url: str | None
    env_names: list[str] | None
    header_names: list[str] | None
    status: str | None
    """The status in Claude Code's `init` message; None before that message."""


_JSON_COLUMNS = frozenset({"env_names", "header_names"})

SET_STATUS = (
    "INSERT INTO mcp_servers (session_id, name, status) VALUES (?, ?, ?)"
    " ON CONFLICT (session_id, name) DO UPDATE SET status = excluded.status"
)
"""Also inserts servers that come from Claude Code's own configuration."""


def create(session_id: str, servers: Iterable[dict[str, Any]]) -> None:
    """Insert the servers of a session."""
    for server in servers:
        columns = {name: _encode_value(name, value) for name, value in server.items()}
        insert("mcp_servers", {"session_id": session_id, **columns})


def session_servers(session_id: str) -> list[McpServerRow]:
    """Return the servers of a session, by name."""
    query = f"SELECT {', '.join(McpServerRow._fields)} FROM mcp_servers WHERE session_id = ? ORDER BY name"
    return [
        McpServerRow(*(_decode_value(name, value) for name, value in zip(McpServerRow._fields, row, strict=True)))
        for row in execute(query, (session_id,))
    ]


def _encode_value(name: str, value: Any) -> Any:
    return json.dumps(value) if name in _JSON_COLUMNS and value is not None else value


def _decode_value(name: str, value: Any) -> Any:
    return json.loads(value) if name in _JSON_COLUMNS and value is not None else value
