"""`hldctl mcp`."""

from __future__ import annotations

import importlib.util
import os
from typing import Annotated

import typer

from hldctl.errors import UnfitEnvironment


def command(
    ctx: typer.Context,
    read_only: Annotated[bool, typer.Option("--read-only", help="Offer only the tools that change nothing.")] = False,
) -> None:
    """Serve the Model Context Protocol on standard input and output, for agents that drive sessions.

    A client such as Claude Code starts it: `claude mcp add hldctl -- hldctl mcp`. It ends with its client; the sessions
    continue.
    """
    if importlib.util.find_spec("mcp") is None:
        raise UnfitEnvironment("The package mcp is missing; install it with hldctl: pipx install 'hldctl[mcp]'.")
    # Imported here: the SDK takes more than a second.
    from hldctl.client.client import Client
    from hldctl.mcp_server import server

    # Sessions get the umask of the client; the API keeps its own files private.
    os.umask(ctx.obj["umask"])
    server.serve(Client(), is_read_only=read_only)
