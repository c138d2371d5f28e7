"""A fake Claude Code that streams text and tool calls, and asks for permissions, until there is a file `enough`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

Block = dict[str, Any]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with open(sys.argv[sys.argv.index("--settings") + 1]) as settings:
        hook_command = json.load(settings)["hooks"]["PermissionRequest"][0]["hooks"][0]["command"]
    pending: tuple[Block, subprocess.Popen[bytes]] | None = None
    _write({"type": "system", "subtype": "init", "session_id": "x", "model": "claude-opus-5"})
    number = 0
    while not os.path.exists("enough"):
        number += 1
        _say({"type": "text", "text": f"{number} " + "x" * (number % 700)})
        if number % 7 == 0:
            call = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {"command": "ls"}}
            _say(call)
            _write_result(call, "out")
        if pending is None and number % 20 == 0:
            pending = _request_permission(number, hook_command)
        elif pending is not None and pending[1].poll() is not None:
            call, hook = pending
            assert hook.stdout is not None
            _write_result(call, _decision(hook.stdout.read()))
            pending = None
        time.sleep(0.01 * (number % 3))
    if pending is not None:
        pending[1].terminate()
    result = {"type": "result", "subtype": "success", "is_error": False, "result": str(number), "num_turns": 1}
    print(json.dumps({**result, "duration_ms": 1, "total_cost_usd": 0.5}))


def _request_permission(number: int, hook_command: str) -> tuple[Block, subprocess.Popen[bytes]]:
    """Write a tool call and start the hook for it; return both."""
    command = {"command": f"touch {number}"}
    call = {"type": "tool_use", "id": f"toolu_asked_{number}", "name": "Bash", "input": command}
    _say(call)
    hook = subprocess.Popen(
        hook_command,
        shell=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "CLAUDE_PID": str(os.getpid())},
        start_new_session=True,
    )
    assert hook.stdin is not None
    hook.stdin.write(json.dumps({"tool_name": "Bash", "tool_input": command}).encode())
    hook.stdin.close()
    return call, hook


def _decision(output: bytes) -> str:
    """Return the hook's decision, or "nothing" if it printed none."""
    return str(json.loads(output)["hookSpecificOutput"]["decision"]["behavior"]) if output else "nothing"


def _write_result(call: Block, content: str) -> None:
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": content}
    _write({"type": "user", "message": {"role": "user", "content": [result]}})


def _say(block: Block) -> None:
    _write({"type": "assistant", "message": {"role": "assistant", "content": [block]}})


def _write(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)
