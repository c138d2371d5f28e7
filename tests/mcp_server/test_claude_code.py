"""The genuine Claude Code as the client of the MCP server, with a scripted model."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.helpers.doc_blocks import ROOT
from tests.helpers.sandbox import Json, Sandbox, claude_binary

CONFIG = {"mcpServers": {"hldctl": {"command": sys.executable, "args": ["-m", "hldctl", "mcp"]}}}
SCRIPT = """\
call mcp__hldctl__launch {"query": "Say hello.", "name": "child", "keep_open": true}

call mcp__hldctl__wait {"sessions": ["child"], "until": "idle"}

call mcp__hldctl__send {"session": "child", "text": "Say hello once more."}

call mcp__hldctl__events {"session": "child"}

call mcp__hldctl__close {"session": "child"}

say The child said hello twice.

[Say hello]
say Hello.
"""


def results(events: list[Json]) -> dict[str, Json]:
    """Return what each tool of the server returned, by the tool's name."""
    found = {}
    for event in events:
        if event["event_type"] == "tool_result":
            assert not event["is_error"], event["tool_result_content"]
            found[event["tool_name"].removeprefix("mcp__hldctl__")] = json.loads(event["tool_result_content"])
    return found


def test_model_launches_waits_sends_and_reads(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent = sandbox.launch(
        "Let another session say hello.", "--mcp-config", json.dumps(CONFIG), "--allowed-tools", "mcp__hldctl"
    )
    ended = sandbox.wait_for_end(parent)
    assert ended["result_content"] == "The child said hello twice."
    returned = results(sandbox.events(parent))
    assert list(returned) == ["launch", "wait", "send", "events", "close"]
    assert returned["wait"]["sessions"][0]["status"] == "idle"
    assert returned["send"]["answer"] == "Hello."
    said = [event["content"] for event in returned["events"]["events"] if event["role"] == "assistant"]
    assert said == ["Hello.", "Hello."]
    assert returned["close"]["status"] == "completed"
    child = sandbox.show("child")
    assert (child["id"], child["launched_by"]) == (returned["launch"]["id"], parent)


def test_child_gets_no_more_than_the_session_of_the_model(sandbox: Sandbox) -> None:
    sandbox.serve_script(
        'call mcp__hldctl__launch {"query": "Say hello.", "allowed_tools": ["Bash"]}\n\n'
        'call mcp__hldctl__launch {"query": "Say hello.", "max_budget_usd": 9}\n\nsay Refused.\n\n'
        "[Say hello]\nsay Hello."
    )
    parent = sandbox.launch(
        *("Launch another.", "--mcp-config", json.dumps(CONFIG), "--allowed-tools", "mcp__hldctl"),
        *("--max-budget-usd", "1"),
    )
    sandbox.wait_for_end(parent)
    refusals = [event for event in sandbox.events(parent) if event["event_type"] == "tool_result"]
    assert [event["is_error"] for event in refusals] == [True, True]
    assert "may not give --allowed-tools Bash" in refusals[0]["tool_result_content"]
    assert "budget" in refusals[1]["tool_result_content"]
    assert sandbox.ok("ls", "-q").split() == [parent]


def run_claude(sandbox: Sandbox, *arguments: str) -> str:
    done = subprocess.run(
        [str(claude_binary()), *arguments],
        cwd=sandbox.work,
        env=sandbox.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_plugin_is_valid_and_can_be_installed(sandbox: Sandbox) -> None:
    for path in (ROOT, ROOT / "plugin"):
        run_claude(sandbox, "plugin", "validate", "--strict", str(path))
    run_claude(sandbox, "plugin", "marketplace", "add", str(ROOT))
    run_claude(sandbox, "plugin", "install", "hldctl@hldctl")
    details = run_claude(sandbox, "plugin", "details", "hldctl")
    assert "hldctl" in run_claude(sandbox, "plugin", "list")
    assert "sessions" in details


def test_plugin_gives_claude_code_the_tools_and_the_skill(sandbox: Sandbox) -> None:
    sandbox.serve_script("call mcp__plugin_hldctl_hldctl__list {}\n\nsay Nothing runs.")
    session = sandbox.launch(
        "What runs?", "--allowed-tools", "mcp__plugin_hldctl_hldctl", "--", "--plugin-dir", str(ROOT / "plugin")
    )
    ended = sandbox.wait_for_end(session)
    assert ended["result_content"] == "Nothing runs."
    (result,) = [event for event in sandbox.events(session) if event["event_type"] == "tool_result"]
    assert [each["id"] for each in json.loads(result["tool_result_content"])["sessions"]] == [session]
    lines = map(json.loads, sandbox.files(session).journal.read_text().splitlines())
    init = next(line for line in lines if line.get("subtype") == "init")
    assert "hldctl:sessions" in init["skills"]
