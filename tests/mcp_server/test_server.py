"""The MCP server, with the client of the official SDK and the real Claude Code in the sessions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from hldctl.mcp_server.option_schema import OFFERED_MODES
from hldctl.mcp_server.tools import all_tools
from hldctl.sessions.options import OPTIONS
from hldctl.version import __version__
from tests.helpers.json_contract import require_contract
from tests.helpers.sandbox import Json, Sandbox, eventually

SCRIPT = """\
say Hello.

[Touch a file]
call Bash {"command": "touch made"}

say Done.

[Wait]
say Here.
hang
"""


def talk(sandbox: Sandbox, conversation: Callable[[ClientSession], Awaitable[None]], *options: str) -> None:
    """Start the server as a client would, and talk to it."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "hldctl", "mcp", *options], env=sandbox.environment, cwd=sandbox.work
    )

    async def run() -> None:
        async with stdio_client(server) as (incoming, outgoing), ClientSession(incoming, outgoing) as client:
            await client.initialize()
            await conversation(client)

    anyio.run(run)


async def call(client: ClientSession, tool: str, **arguments: Any) -> Json:
    """Call a tool and return its result, which is the same as JSON and as text."""
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    assert not result.is_error, content.text
    assert json.loads(content.text) == result.structured_content
    found: Json = result.structured_content
    return found


async def failure(client: ClientSession, tool: str, **arguments: Any) -> str:
    """Call a tool that fails, and return its message."""
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    assert result.is_error
    return content.text


def test_client_launches_waits_sends_and_reads(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)

    async def conversation(client: ClientSession) -> None:
        chat = await call(client, "launch", query="Say hello.", title="Chat", keep_open=True)
        waited = await call(client, "wait", sessions=[chat["id"]], until="idle")
        assert [session["status"] for session in waited["sessions"]] == ["idle"]
        answer = await call(client, "send", session=chat["id"], text="Once more.")
        assert answer["answer"] == "Hello."
        read = await call(client, "events", session=chat["id"], after=1, limit=1)
        assert ([event["sequence"] for event in read["events"]], read["has_more"]) == ([2], True)
        closed = await call(client, "close", session=chat["id"])
        assert closed["status"] == "completed"
        more = await call(client, "continue", session=chat["id"], query="Say hello.")
        ended = await call(client, "wait", sessions=[more["id"]])
        assert (ended["timed_out"], ended["sessions"][0]["parent_session_id"]) == (False, chat["id"])
        listed = await call(client, "list", statuses=["completed"])
        assert [session["id"] for session in listed["sessions"]] == [more["id"], chat["id"]]
        found = await call(client, "search", words="hello", session=chat["id"], role="assistant")
        assert [match["excerpt"] for match in found["matches"]] == ["Hello.", "Hello."]
        shown = await call(client, "show", session=chat["id"])
        assert shown.pop("activity") is None
        for session in (shown, *listed["sessions"]):
            require_contract(["launch", "--json"], json.dumps(session))

    talk(sandbox, conversation)
    assert json.loads(sandbox.ok("ls", "--json", "--search", "Chat"))[0]["title"] == "Chat"


def test_requests_are_answered(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)

    async def conversation(client: ClientSession) -> None:
        for tool, more, status in (("approve", {}, "approved"), ("deny", {"comment": "Not here."}, "denied")):
            asking = await call(client, "launch", query="Touch a file.", approvals=True)
            await call(client, "wait", sessions=[asking["id"]], until="waiting_input")
            (request,) = (await call(client, "approvals", session=asking["id"]))["approvals"]
            answered = await call(client, tool, approval=request["id"][:8], **more)
            assert answered["status"] == status
            require_contract(["answer", "--json"], json.dumps(answered))
            await call(client, "wait", sessions=[asking["id"]])

    talk(sandbox, conversation)
    assert (sandbox.work / "made").exists()


def test_long_wait_reports_progress_and_ends_with_its_timeout(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    reports: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, message))

    async def conversation(client: ClientSession) -> None:
        session = await call(client, "launch", query="Wait for me.")
        result = await client.call_tool("wait", {"sessions": [session["id"]], "timeout": 12}, progress_callback=note)
        assert result.structured_content is not None
        assert result.structured_content["timed_out"] is True
        assert result.structured_content["sessions"][0]["completed_at"] is None
        stopped = await call(client, "interrupt", session=session["id"])
        assert stopped["status"] == "interrupted"

    talk(sandbox, conversation)
    assert [seconds for seconds, _ in reports] == sorted(seconds for seconds, _ in reports)
    assert reports
    assert {(message or "").split()[1] for _, message in reports} <= {"starting", "thinking", "answering"}


def test_cancelled_wait_leaves_the_session_and_the_server_running(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)

    async def conversation(client: ClientSession) -> None:
        session = await call(client, "launch", query="Wait for me.")
        with anyio.move_on_after(2):
            await client.call_tool("wait", {"sessions": [session["id"]]})
        shown = await call(client, "show", session=session["id"])
        assert shown["completed_at"] is None
        await call(client, "interrupt", session=session["id"])

    talk(sandbox, conversation)


def test_sessions_outlive_the_server(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Started.\nwait 3s\nsay Done.")

    async def conversation(client: ClientSession) -> None:
        await call(client, "launch", query="Go.")

    talk(sandbox, conversation)
    assert sandbox.wait_for_end("last")["result_content"] == "Done."


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("show", {"session": "nobody"}, "No session 'nobody'; `hldctl ls --all` lists all sessions."),
        ("show", {}, "'session' is a required property."),
        ("launch", {"query": "Hi", "max_turns": "many"}, "max_turns: 'many' is not of type 'integer'."),
        ("launch", {"query": "Hi", "timeout": "soon"}, "timeout: 'soon' is not a duration;"),
        ("launch", {"query": "Hi", "dangerously_skip_permissions": True}, "Additional properties are not allowed"),
        ("launch", {"query": "Hi", "permission_mode": "bypassPermissions"}, "permission_mode: 'bypassPermissions' is"),
        ("dance", {}, "There is no tool 'dance'."),
    ],
)
def test_error_is_a_sentence(sandbox: Sandbox, tool: str, arguments: Json, message: str) -> None:
    async def conversation(client: ClientSession) -> None:
        assert (await failure(client, tool, **arguments)).startswith(message)

    talk(sandbox, conversation)
    assert json.loads(sandbox.ok("ls", "--json")) == []


def test_read_only_server_offers_what_changes_nothing(sandbox: Sandbox) -> None:
    async def conversation(client: ClientSession) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {"wait", "show", "list", "events", "search", "approvals"}
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        assert await failure(client, "launch", query="Hi") == "There is no tool 'launch'."

    talk(sandbox, conversation, "--read-only")


def test_server_says_what_it_is(sandbox: Sandbox) -> None:
    async def conversation(client: ClientSession) -> None:
        found = await client.initialize()
        assert (found.server_info.name, found.server_info.version) == ("hldctl", __version__)
        assert "hldctl ls" in (found.instructions or "")

    talk(sandbox, conversation)


def test_offered_options_widen_nothing() -> None:
    (launch,) = (tool for tool in all_tools() if tool.name == "launch")
    offered = set(launch.properties) - {"query", "session_id"}
    assert offered < set(OPTIONS)
    assert not {name for name in offered if name.startswith(("dangerously", "on_", "from_"))}
    assert "bypassPermissions" not in OFFERED_MODES


def test_without_the_package_the_command_says_what_to_install(sandbox: Sandbox) -> None:
    hidden = sandbox.root / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'mcp' else find(name, *rest)\n"
    )
    done = sandbox.run("mcp", environment={"PYTHONPATH": str(hidden)})
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.endswith("The package mcp is missing; install it with hldctl: pipx install 'hldctl[mcp]'.\n")


def test_server_ends_with_its_client(sandbox: Sandbox) -> None:
    server = sandbox.popen("mcp", stdin=subprocess.PIPE)
    assert server.stdin is not None
    server.stdin.close()
    eventually(lambda: server.poll() is not None, "the end of the server")
    assert server.returncode == 0
    for stream in (server.stdout, server.stderr):
        assert stream is not None
        stream.close()
