"""The MCP servers of sessions, without their secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from hldctl.store.connection import execute, insert


class McpServerRow(NamedTuple):
    name: str
    transport: str | None
    command: str | None
    url: str | None
    env_names: list[str] | None
    header_names: list[str] | None
    status: str | None
    """As Claude Code's `init` said it; absent before."""


_JSON = frozenset({"env_names", "header_names"})

SET_STATUS = (
    "INSERT INTO mcp_servers (session_id, name, status) VALUES (?, ?, ?)"
    " ON CONFLICT (session_id, name) DO UPDATE SET status = excluded.status"
)
"""Also for one that Claude Code found in a configuration of its own."""


def create(session_id: str, servers: Iterable[dict[str, Any]]) -> None:
    for server in servers:
        columns = {name: _encoded(name, value) for name, value in server.items()}
        insert("mcp_servers", {"session_id": session_id, **columns})


def of_session(session_id: str) -> list[McpServerRow]:
    query = f"SELECT {', '.join(McpServerRow._fields)} FROM mcp_servers WHERE session_id = ? ORDER BY name"
    return [
        McpServerRow(*(_decoded(name, value) for name, value in zip(McpServerRow._fields, row, strict=True)))
        for row in execute(query, (session_id,))
    ]


def _encoded(name: str, value: Any) -> Any:
    return json.dumps(value) if name in _JSON and value is not None else value


def _decoded(name: str, value: Any) -> Any:
    return json.loads(value) if name in _JSON and value is not None else value
