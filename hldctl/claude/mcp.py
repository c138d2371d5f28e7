"""MCP servers in a session's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hldctl.claude.stream import JsonObject, mapping, replace_surrogates, sequence, text

# The variables set for each stdio server, the first with the name used by hldctl's ancestor. A continuation inherits
# them in its configuration.
_SESSION_VARIABLES = ("HUMANLAYER_RUN_ID", "HLDCTL_RUN_ID", "HLDCTL_SESSION_ID", "HLDCTL_HOME")

_REMOTE_TYPES = ("http", "sse", "ws")


@dataclass(frozen=True)
class McpServer:
    """A server without its secrets: only the names of variables and headers, and a URL without user and query."""

    name: str
    transport: str
    command: str | None
    url: str | None
    env_names: tuple[str, ...]
    header_names: tuple[str, ...]


def configuration_error(server: Any) -> str | None:
    """Return what is wrong with a server's configuration, as words to follow its name; None if it is valid."""
    if not isinstance(server, dict):
        return "must be an object"
    if not _is_stdio(server):
        if server.get("type") not in _REMOTE_TYPES:
            return f'needs a "command", or a "url" and one of these as "type": {", ".join(_REMOTE_TYPES)}'
        if not isinstance(server.get("url"), str):
            return 'needs a "url" that is a string'
    elif not isinstance(server["command"], str):
        return 'needs a "command" that is a string'
    arguments = server.get("args", [])
    if not isinstance(arguments, list) or not all(isinstance(argument, str) for argument in arguments):
        return 'has "args" that are not a list of strings'
    for name in ("env", "headers"):
        values = server.get(name, {})
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            return f'has "{name}" that does not map names to strings'
    return None


def parse_servers(config: Mapping[str, Any] | None) -> list[McpServer]:
    """Return the configured servers, with names that a database can hold."""
    configured = replace_surrogates(mapping((config or {}).get("mcpServers")))
    return [_server(name, mapping(server)) for name, server in configured.items()]


def add_server_variables(
    config: Mapping[str, Any], *, session_id: str, run_id: str, state_directory: Path
) -> JsonObject:
    """Return the configuration with the session's variables for each stdio server; other servers are not started."""
    variables = dict(zip(_SESSION_VARIABLES, (run_id, run_id, session_id, str(state_directory)), strict=True))
    prepared = {
        name: {**server, "env": {**mapping(server.get("env")), **variables}} if _is_stdio(server) else server
        for name, server in mapping(config.get("mcpServers")).items()
    }
    return {**config, "mcpServers": prepared}


def server_states(event: JsonObject) -> list[tuple[str, str]]:
    """Return the name and state of each server in an `init` line."""
    listed = [mapping(server) for server in sequence(event.get("mcp_servers"))]
    pairs = [(text(server.get("name")), text(server.get("status"))) for server in listed]
    return [(name, status) for name, status in pairs if name is not None and status is not None]


def _server(name: str, server: JsonObject) -> McpServer:
    return McpServer(
        name=name,
        transport="stdio" if _is_stdio(server) else text(server.get("type")) or "http",
        command=text(server.get("command")),
        url=_remove_secrets(text(server.get("url"))),
        env_names=tuple(name for name in mapping(server.get("env")) if name not in _SESSION_VARIABLES),
        header_names=tuple(mapping(server.get("headers"))),
    )


def _is_stdio(server: Any) -> bool:
    return isinstance(server, dict) and "command" in server and server.get("type") in (None, "stdio")


def _remove_secrets(url: str | None) -> str | None:
    if url is None:
        return None
    # Imported late: few sessions have a server with a URL, and the import would cost each supervisor memory.
    from urllib.parse import urlsplit, urlunsplit

    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return None
