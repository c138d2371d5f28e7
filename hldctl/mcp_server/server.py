"""The MCP server on standard input and output, with the official SDK."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import jsonschema
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from hldctl.client.client import Client
from hldctl.errors import HldctlError
from hldctl.mcp_server.tools import JsonObject, Tool, all_tools
from hldctl.mcp_server.waiting import Call, Cancelled
from hldctl.version import __version__

_INSTRUCTIONS = """\
hldctl runs Claude Code sessions in the background of this machine. They survive this client, are recorded,
and the user sees them with `hldctl ls`. Use it for work that is long, or that can run in parallel: `launch`
several sessions with a complete query each, then `wait` for them, read `result_content`, and `continue` or
`send` where more is needed. A session does not know this conversation. Sessions that work on the same
repository at once need `worktree: true`. Give each one a `title`, the `allowed_tools` that it needs, and a
`timeout` or `max_budget_usd`."""

Context = ServerRequestContext[Any, Any]


def serve(client: Client, *, is_read_only: bool) -> None:
    """Serve until the client closes standard input; with `is_read_only`, only the tools that change nothing."""
    tools = {tool.name: tool for tool in all_tools() if tool.is_read_only or not is_read_only}
    anyio.run(_serve, client, tools)


async def _serve(client: Client, tools: Mapping[str, Tool]) -> None:
    async def list_tools(context: Context, parameters: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_description(tool) for tool in tools.values()])

    async def call_tool(context: Context, parameters: types.CallToolRequestParams) -> types.CallToolResult:
        return await _call(client, tools.get(parameters.name), parameters, context)

    server: Server[Any] = Server(
        "hldctl",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _description(tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(read_only_hint=tool.is_read_only, open_world_hint=not tool.is_read_only)
    return types.Tool(name=tool.name, description=tool.description, input_schema=tool.input_schema, annotations=hints)


async def _call(
    client: Client, tool: Tool | None, parameters: types.CallToolRequestParams, context: Context
) -> types.CallToolResult:
    arguments = dict(parameters.arguments or {})
    if tool is None:
        return _failure(f"There is no tool {parameters.name!r}.")
    try:
        jsonschema.validate(arguments, tool.input_schema)
    except jsonschema.ValidationError as error:
        where = f"{error.json_path.removeprefix('$.')}: " if error.path else ""
        return _failure(f"{where}{error.message}.")
    call = Call(lambda seconds, text: anyio.from_thread.run(context.session.report_progress, seconds, None, text))
    try:
        return await anyio.to_thread.run_sync(_run, tool, client, arguments, call, abandon_on_cancel=True)
    finally:
        # Of an abandoned call, so that its thread ends.
        call.cancelled.set()


def _run(tool: Tool, client: Client, arguments: JsonObject, call: Call) -> types.CallToolResult:
    try:
        result = tool.run(client, arguments, call)
    except Cancelled:
        return _failure("The call was cancelled.")
    except HldctlError as error:
        return _failure(str(error))
    except Exception:
        # Standard error is the client's log of the server.
        traceback.print_exc(file=sys.stderr)
        return _failure("hldctl failed; its traceback is in the log of the server.")
    text = types.TextContent(type="text", text=json.dumps(result, ensure_ascii=False))
    return types.CallToolResult(content=[text], structured_content=result)


def _failure(message: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=message)], is_error=True)
