"""Descendants: a session's processes end with it, except those that a normal end leaves running."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import psutil
import pytest

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, is_dead, kill, kill_and_wait


def tails(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes(lambda process: process.name() == "tail")


def test_no_process_outlives_an_interrupt(sandbox: Sandbox) -> None:
    """The tool, its child in a new process session, and a process that forked twice are all terminated."""
    sandbox.serve_script(
        'say Here.\ncall Bash {"command": "setsid tail -f /dev/null & (tail -f /dev/zero > /dev/null &) ;'
        ' echo started; tail -f /dev/null"}\n\nsay Never said.'
    )
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    eventually(lambda: len(tails(sandbox)) >= 3, "the tools to run")
    sandbox.ok("interrupt", session_id)
    assert tails(sandbox) == []
    eventually(lambda: not sandbox.processes(), "the supervisor to leave")


def test_no_process_outlives_a_killed_claude(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "setsid tail -f /dev/null & tail -f /dev/null"}\n\nsay Never said.')
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    eventually(lambda: len(tails(sandbox)) >= 2, "the tools to run")
    psutil.Process(sandbox.show(session_id)["pid"]).kill()
    sandbox.run("wait", session_id)
    eventually(lambda: not sandbox.processes(), "all to end", TIMEOUT_SECONDS)


MCP_SERVER = Path(__file__).parents[1] / "helpers" / "mcp_server.py"
MCP_CONFIG = {"mcpServers": {"mine": {"command": sys.executable, "args": [str(MCP_SERVER)]}}}
HOOK = {
    "hooks": {"PermissionRequest": [{"hooks": [{"type": "command", "command": "tail -f /dev/null", "timeout": 3600}]}]}
}


@pytest.mark.parametrize("how", ["interrupt", "by force", "kill"])
def test_mcp_servers_and_hooks_do_not_outlive_the_session(sandbox: Sandbox, how: str) -> None:
    sandbox.serve_script('call Write {"file_path": "made", "content": "x"}\n\nsay Never said.')
    session_id = sandbox.launch("Hi", "--mcp-config", json.dumps(MCP_CONFIG), "--settings", json.dumps(HOOK))
    eventually(lambda: tails(sandbox), "the hook to ask")
    assert sandbox.processes_with_argument(str(MCP_SERVER))
    if how == "kill":
        psutil.Process(sandbox.show(session_id)["pid"]).kill()
    else:
        sandbox.ok("interrupt", session_id, *(["--timeout", "0"] if how == "by force" else []))
    sandbox.run("wait", session_id)
    eventually(lambda: not sandbox.processes(), "all to end", TIMEOUT_SECONDS)


def test_processes_left_by_a_normal_end_stay_and_are_named(sandbox: Sandbox) -> None:
    sandbox.serve_script(
        'call Bash {"command": "setsid tail -f /dev/null > /dev/null 2>&1 & echo started"}\n\nsay Done.'
    )
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    (left,) = tails(sandbox)
    assert sandbox.show(session_id)["left_running"] == [{"pid": left.pid, "command": "tail -f /dev/null"}]
    assert f"still running               {left.pid} tail -f /dev/null" in sandbox.ok("show", session_id)
    left.kill()
    eventually(lambda: not tails(sandbox), "its end")
    assert sandbox.show(session_id)["left_running"] == []
    assert "still running" not in sandbox.ok("show", session_id)


ORPHAN = "echo $$ > orphan.tmp; mv orphan.tmp orphan; exec tail -f /dev/null"


def orphan(sandbox: Sandbox) -> psutil.Process:
    file = sandbox.work / "orphan"
    eventually(file.exists, "the orphan to run")
    return psutil.Process(int(file.read_text()))


def script_with_orphan(environment: str, preparation: str = "") -> str:
    """Return a script whose tool continues after its background process has lost its parent."""
    orphan_command = shlex.quote(preparation + ORPHAN)
    command = f"({environment} setsid sh -c {orphan_command} > /dev/null 2>&1 < /dev/null &); tail -f /dev/null"
    return f"call Bash {json.dumps({'command': command})}\n\nsay Never said."


@pytest.mark.skipif(sys.platform != "linux", reason="no other system makes a supervisor the parent of orphans")
def test_orphan_without_environment_does_not_outlive_an_interrupt(sandbox: Sandbox) -> None:
    sandbox.serve_script(script_with_orphan('env -i PATH="$PATH"'))
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    stray = orphan(sandbox)
    try:
        supervisor = sandbox.show(session_id)["supervisor_pid"]
        eventually(lambda: stray.ppid() == supervisor, "the supervisor to be its parent")
        sandbox.ok("interrupt", session_id)
        assert is_dead(stray)
    finally:
        kill([stray])


def test_orphan_of_a_dead_supervisor_does_not_outlive_an_interrupt(sandbox: Sandbox) -> None:
    sandbox.serve_script(script_with_orphan("env"))
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    stray = orphan(sandbox)
    kill_and_wait(psutil.Process(sandbox.show(session_id)["supervisor_pid"]))
    sandbox.ok("interrupt", session_id)
    assert is_dead(stray)


def test_orphan_that_ignores_sigterm_does_not_outlive_an_interrupt(sandbox: Sandbox) -> None:
    """Claude Code itself kills the tools that are still its descendants."""
    sandbox.serve_script(script_with_orphan("env", "trap '' TERM; "))
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    stray = orphan(sandbox)
    try:
        sandbox.ok("interrupt", session_id)
        assert is_dead(stray)
    finally:
        kill([stray])


def test_interrupt_of_an_outer_session_spares_the_inner_one(
    sandbox: Sandbox,
) -> None:
    """This includes a process without a marker, whose supervisor has become a child of the outer supervisor."""
    inner = f"env -i PATH=\"$PATH\" sh -c '{ORPHAN}'"
    launch = f"{sys.executable} -m hldctl launch --allowed-tools Bash inner; tail -f /dev/null"
    sandbox.serve_script(
        f"call Bash {json.dumps({'command': launch})}\n\nsay Never said.\n\n"
        f"[inner]\ncall Bash {json.dumps({'command': inner})}\n\nsay Never said."
    )
    outer = sandbox.launch("Hi", "--allowed-tools", "Bash")
    inner_process = orphan(sandbox)
    try:
        sandbox.ok("interrupt", outer)
        assert not is_dead(inner_process)
        (inner_id,) = sandbox.ok("ls", "-q", "--status", "running").split()
        sandbox.ok("interrupt", inner_id)
        assert is_dead(inner_process)
    finally:
        kill([inner_process])
