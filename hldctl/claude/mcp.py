"""MCP servers, as a session's configuration names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hldctl.claude.stream import JsonObject, mapping, sequence, text, without_surrogates

_OURS = ("HUMANLAYER_RUN_ID", "HLDCTL_RUN_ID", "HLDCTL_SESSION_ID", "HLDCTL_HOME")
"""What every stdio server is told, the first by the ancestor's name; a continuation finds it in what it inherits."""

_REMOTE = ("http", "sse", "ws")


@dataclass(frozen=True)
class McpServer:
    """A server without its secrets: of variables and headers the names alone, of a URL neither user nor query."""

    name: str
    transport: str
    command: str | None
    url: str | None
    env_names: tuple[str, ...]
    header_names: tuple[str, ...]


def fault(server: Any) -> str | None:
    """What keeps a server's configuration from being one, in words that go behind its name; None if nothing does."""
    if not isinstance(server, dict):
        return "must be an object"
    if not _is_stdio(server):
        if server.get("type") not in _REMOTE:
            return f'needs a "command", or a "type" out of {", ".join(_REMOTE)} and a "url"'
        if not isinstance(server.get("url"), str):
            return 'needs a "url" that is a string'
    elif not isinstance(server["command"], str):
        return 'needs a "command" that is a string'
    arguments = server.get("args", [])
    if not isinstance(arguments, list) or not all(isinstance(argument, str) for argument in arguments):
        return 'has "args" that are no list of strings'
    for name in ("env", "headers"):
        values = server.get(name, {})
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            return f'has "{name}" that does not map names to strings'
    return None


def servers(config: Mapping[str, Any] | None) -> list[McpServer]:
    """Each once, with names that a database can hold."""
    configured = without_surrogates(mapping((config or {}).get("mcpServers")))
    return [_server(name, mapping(server)) for name, server in configured.items()]


def with_variables(config: Mapping[str, Any], *, session_id: str, run_id: str, state_directory: Path) -> JsonObject:
    """The configuration with the environment of each stdio server telling its session; the others start nothing."""
    variables = dict(zip(_OURS, (run_id, run_id, session_id, str(state_directory)), strict=True))
    prepared = {
        name: {**server, "env": {**mapping(server.get("env")), **variables}} if _is_stdio(server) else server
        for name, server in mapping(config.get("mcpServers")).items()
    }
    return {**config, "mcpServers": prepared}


def states(event: JsonObject) -> list[tuple[str, str]]:
    """Name and state of each server, by an `init` line."""
    listed = [mapping(server) for server in sequence(event.get("mcp_servers"))]
    pairs = [(text(server.get("name")), text(server.get("status"))) for server in listed]
    return [(name, status) for name, status in pairs if name is not None and status is not None]


def _server(name: str, server: JsonObject) -> McpServer:
    return McpServer(
        name=name,
        transport="stdio" if _is_stdio(server) else text(server.get("type")) or "http",
        command=text(server.get("command")),
        url=_without_secrets(text(server.get("url"))),
        env_names=tuple(name for name in mapping(server.get("env")) if name not in _OURS),
        header_names=tuple(mapping(server.get("headers"))),
    )


def _is_stdio(server: Any) -> bool:
    return isinstance(server, dict) and "command" in server and server.get("type") in (None, "stdio")


def _without_secrets(url: str | None) -> str | None:
    if url is None:
        return None
    # Only here: few sessions have a server with a URL, and each supervisor would pay for it.
    from urllib.parse import urlsplit, urlunsplit

    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return None
