"""MCP servers: recorded with their session, inherited by continuations, with secrets only in private files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.helpers.sandbox import Json, Sandbox

SERVER = Path(__file__).parents[1] / "helpers" / "mcp_server.py"
SECRET = "hunter2-hunter2"
CONFIG = {
    "mcpServers": {
        "mine": {"command": sys.executable, "args": [str(SERVER)], "env": {"T_SECRET": SECRET}},
        "broken": {"command": "/no/such/server", "env": {}},
        "web": {
            "type": "http",
            "url": f"http://user:{SECRET}@127.0.0.1:9/mcp?key={SECRET}",
            "headers": {"X-Key": SECRET},
        },
        "events": {"type": "sse", "url": "http://127.0.0.1:9/sse"},
    }
}
SCRIPT = "call mcp__mine__whoami {}\n\nsay Done."


def server_environment(sandbox: Sandbox, session: Json) -> Json:
    """Return the environment of the server of this session."""
    results = [event for event in sandbox.events(session["id"]) if event["event_type"] == "tool_result"]
    environment: Json = json.loads(results[0]["tool_result_content"])
    return environment


def test_servers_know_their_session_and_are_inherited(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    config = sandbox.root / "mcp.json"
    config.write_text(json.dumps(CONFIG))
    parent = sandbox.wait_for_end(
        sandbox.launch("Who?", "--mcp-config", config, "--allowed-tools", "mcp__mine__whoami")
    )
    config.unlink()
    child = sandbox.wait_for_end(sandbox.ok("continue", parent["id"], "Who now?").strip())
    for session in (parent, child):
        assert server_environment(sandbox, session) == {
            "HUMANLAYER_RUN_ID": session["run_id"],
            "HLDCTL_RUN_ID": session["run_id"],
            "HLDCTL_SESSION_ID": session["id"],
            "HLDCTL_HOME": str(sandbox.state.root),
            "T_SECRET": SECRET,
        }
        servers = {server["name"]: server for server in session["mcp_servers"]}
        assert {name: server["transport"] for name, server in servers.items()} == {
            "mine": "stdio",
            "broken": "stdio",
            "web": "http",
            "events": "sse",
        }
        assert servers["mine"]["status"] == "connected"
        assert servers["broken"]["status"] == "failed"
        assert (servers["mine"]["env_names"], servers["web"]["header_names"]) == (["T_SECRET"], ["X-Key"])
        assert servers["web"]["url"] == "http://127.0.0.1:9/mcp"
    assert "mine (stdio) connected" in sandbox.ok("show", child["id"])


def test_secrets_of_servers_are_only_in_private_files(sandbox: Sandbox) -> None:
    sandbox.serve_script(f"{SCRIPT}\nwait 3s\nsay More.")
    session_id = sandbox.launch("Who?", "--mcp-config", _file(sandbox), "--allowed-tools", "mcp__mine__whoami")
    sandbox.wait_for_journal(session_id, "tool_result")
    # The tool of this test prints its environment; that is part of the conversation, which hldctl does not censor.
    sandbox.ok("interrupt", session_id)
    sandbox.sql("DELETE FROM conversation_events WHERE event_type = 'tool_result'")
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    sandbox.sql("VACUUM")
    outputs = [sandbox.ok("show", session_id), sandbox.ok("show", session_id, "--json"), sandbox.ok("ls", "--json")]
    assert SECRET not in "".join([*outputs, sandbox.ok("events", "--json")])
    for path in sandbox.state.root.rglob("*"):
        if path.is_file() and SECRET.encode() in path.read_bytes():
            assert path.name in ("mcp.json", "stdout.jsonl")
            assert path.stat().st_mode & 0o077 == 0


def _file(sandbox: Sandbox) -> Path:
    path = sandbox.root / "mcp.json"
    path.write_text(json.dumps(CONFIG))
    return path
