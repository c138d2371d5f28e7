"""Privacy: secrets stay in private files, and output of a model or a tool never reaches a terminal unescaped."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import psutil
import pytest

from tests.helpers.sandbox import Sandbox, eventually

SECRETS = {name: f"hunter2-{name}-hunter2" for name in ("variable", "setting", "server", "header", "url", "key")}
MCP_CONFIG = {
    "mcpServers": {
        "own": {"command": "true", "env": {"TOKEN": SECRETS["server"]}},
        "web": {
            "type": "http",
            "url": f"http://user:{SECRETS['url']}@127.0.0.1:9/mcp?key={SECRETS['url']}",
            "headers": {"Authorization": SECRETS["header"]},
        },
    }
}
# The files that Claude Code and continuations need, and the secrets that each may contain.
MAY_HOLD = {
    "environment.json": {"variable"},
    "settings.json": {"setting"},
    "settings-with-marks.json": {"setting"},
    "mcp.json": {"server", "header", "url"},
}

READING = (
    ["ls"],
    ["ls", "--json"],
    ["ls", "--tree"],
    ["ls", "--format", "{id} {title} {summary} {query} {result_content} {error_message}"],
    ["show", "last"],
    ["show", "last", "--json"],
    ["show", "last", "--events"],
    ["show", "last", "--events", "--json"],
    ["show", "last", "--snapshots"],
    ["tail", "last"],
    ["tail", "-f", "last"],
    ["tail", "--json", "last"],
    ["events"],
    ["events", "--json"],
    ["export", "last"],
    ["export", "last", "--format", "html"],
    ["export", "last", "--format", "json"],
    ["doctor"],
    ["doctor", "--json"],
    ["interrupt", "last"],
    ["continue", "last", "Go on", "--mcp-config", "{"],
)


def secrets_in(text: str) -> set[str]:
    return {name for name, secret in SECRETS.items() if secret in text}


def test_secrets_are_in_no_argument_log_database_or_output(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hello.\nwait 20s\nsay Bye.")
    assert sandbox.server is not None
    sandbox.server.key = sandbox.environment["ANTHROPIC_API_KEY"] = SECRETS["key"]
    session_id = sandbox.launch(
        *("Hi", "--env", f"TOKEN={SECRETS['variable']}"),
        *("--settings", json.dumps({"env": {"TOKEN": SECRETS["setting"]}})),
        *("--mcp-config", json.dumps(MCP_CONFIG)),
    )
    sandbox.wait_for_journal(session_id, "Hello.")
    # Only the launcher has them in its arguments, since the user passed them there.
    assert sandbox.processes(lambda process: secrets_in(" ".join(process.cmdline())) != set()) == []
    sandbox.ok("interrupt", session_id)
    child = sandbox.ok("continue", session_id, "Go on").strip()
    sandbox.ok("interrupt", child)
    for command in READING:
        done = sandbox.run(*command)
        assert secrets_in(done.stdout + done.stderr) == set(), command
    eventually(lambda: not sandbox.processes(), "all to leave")
    for path in sandbox.state.root.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
        if path.is_file():
            secrets = secrets_in(path.read_bytes().decode(errors="replace"))
            assert secrets == MAY_HOLD.get(path.name, set()), path


PRIVATE = {name: f"hunter3-{name}-hunter3" for name in ("system", "append", "instructions", "on-approval", "on-end")}


def private_texts_in_arguments() -> set[str]:
    """Return the names of the private texts in the arguments of any process, which every local user can read."""
    names = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            names |= {name for name, text in PRIVATE.items() if text in line}
    return names


def test_prompts_and_commands_are_in_no_process_list(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch allowed"}\n\nsay Done.')
    waits = "touch began; until [ -e go-on ]; do sleep 0.1; done; rm began go-on"
    session_id = sandbox.launch(
        *("Go", "--approvals", "--system-prompt", PRIVATE["system"], "--append-system-prompt", PRIVATE["append"]),
        *("--custom-instructions", PRIVATE["instructions"]),
        *("--on-approval", f": {PRIVATE['on-approval']}; {waits}", "--on-end", f": {PRIVATE['on-end']}; {waits}"),
    )
    began, files = sandbox.work / "began", sandbox.files(session_id)
    eventually(began.exists, "the command for the request")
    assert private_texts_in_arguments() == set()
    sandbox.release()
    eventually(lambda: not began.exists(), "its end")
    sandbox.ok("approve", "--all")
    eventually(began.exists, "the command for the end")
    assert private_texts_in_arguments() == set()
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "Done."
    # They still reach Claude Code.
    assert sandbox.server is not None
    system = json.dumps(sandbox.server.requests[-1]["system"])
    assert [name for name in ("system", "append", "instructions") if PRIVATE[name] in system] == [
        "system",
        "append",
        "instructions",
    ]
    for script in (files.on_approval_script, files.on_end_script):
        assert script.stat().st_mode & 0o777 == 0o600


def test_command_longer_than_the_argument_limit_runs(sandbox: Sandbox) -> None:
    sandbox.configure(f"on_end = 'touch ran #{'x' * 200_000}'")
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    assert (sandbox.work / "ran").exists()


EVIL = "\x1b]0;owned\x07\x1b[31mred\x9b2J\x9d\u202eback\r\x7f\u2028\x08"
UNPRINTABLE = set("\x1b\x07\x9b\x9d\u202e\u2028\r\x7f\x08")
STREAM = f"""
evil = {EVIL!r}
def write(**event):
    print(json.dumps(event), flush=True)
def say(*blocks):
    write(type="assistant", parent_tool_use_id=evil, message={{"role": "assistant", "content": list(blocks)}})
write(type="system", subtype="init", session_id=evil, model="claude-" + evil, mcp_servers=[
    {{"name": evil, "status": evil}}])
say({{"type": "text", "text": evil}}, {{"type": "thinking", "thinking": evil}})
say({{"type": "tool_use", "id": evil, "name": evil, "input": {{evil: evil}}}})
say({{"type": "tool_use", "id": "read", "name": "Read", "input": {{"file_path": evil}}}})
say({{"type": evil, "source": {{"media_type": evil}}, "title": evil}})
for tool, structured in ((evil, None), ("read", {{"type": "text", "file": {{"filePath": evil, "content": evil,
        "numLines": 1, "startLine": 1, "totalLines": 1}}}})):
    write(type="user", tool_use_result=structured, message={{"role": "user", "content": [
        {{"type": "tool_result", "tool_use_id": tool, "content": evil, "is_error": tool == evil}}]}})
write(type=evil, subtype=evil)
write(type="system", subtype="task_started", description=evil)
write(type="system", subtype="permission_denied", tool_name=evil, message=evil)
write(type="result", subtype="success", is_error=True, result=evil, errors=[evil],
      permission_denials=[{{"tool_name": evil, "tool_input": {{evil: evil}}}}])
print(evil, file=sys.stderr)
"""


@pytest.mark.parametrize("end", ["sys.exit(1)", ""])
def test_each_command_escapes_control_characters(sandbox: Sandbox, end: str) -> None:
    sandbox.fake_claude(STREAM + end)
    options = ["--title", EVIL, "--env", "A=b", "--allowed-tools", EVIL.replace("\r", "")]
    followed = sandbox.run("launch", f"Hello {EVIL}", *options, "--follow")
    waiting = sandbox.run("launch", f"Hello {EVIL}", *options, "--wait", "--json")
    for command in READING:
        done = sandbox.run(*command)
        assert not UNPRINTABLE & set(done.stdout + done.stderr), command
        assert done.stdout or done.stderr
    assert not UNPRINTABLE & set(followed.stdout + followed.stderr + waiting.stdout + waiting.stderr)
    assert "\\x1b[31mred" in sandbox.ok("tail", "last")


def files_outside(sandbox: Sandbox) -> set[Path]:
    return {path for path in sandbox.root.rglob("*") if sandbox.state.root not in path.parents}


def test_name_from_the_stream_does_not_lead_outside_the_session(sandbox: Sandbox) -> None:
    """Ids and paths come from the model; hldctl never uses them as names of its files."""
    outside = sandbox.root / "outside"
    sandbox.fake_claude(
        f"""
for tool in ("../../../../outside", "/{outside}", "a/../../b", "x" * 5000, "\\0"):
    call = {{"type": "tool_use", "id": tool, "name": "Read", "input": {{"file_path": "part", "limit": 1}}}}
    print(json.dumps({{"type": "assistant", "message": {{"content": [call]}}}}))
    result = {{"type": "tool_result", "tool_use_id": tool, "content": "1\\tone"}}
    print(json.dumps({{"type": "user", "session_id": "../" + tool, "message": {{"content": [result]}}}}))
"""
    )
    (sandbox.work / "part").write_text("one\ntwo\n")
    before = files_outside(sandbox)
    session_id = sandbox.launch("Hi")
    sandbox.run("wait", session_id)
    assert files_outside(sandbox) - before <= {sandbox.state.root}
    assert [path.name for path in sandbox.state.sessions.iterdir()] == [session_id]
    snapshots = list(sandbox.files(session_id).snapshots.iterdir())
    assert [path.read_text() for path in snapshots] == ["one\ntwo\n"] * 5
