"""Stand-ins for Claude Code that write as much, as fast or as evenly as a measure asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.helpers.sandbox import Sandbox

BURST = 50_000
LINE_BYTES = 1000
"""Of each line of a burst, with its newline."""
LINES_PER_SECOND = 20

_INIT = {"type": "system", "subtype": "init", "session_id": "s", "model": "claude-opus-4-6", "cwd": "/", "tools": []}
_RESULT = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "result": "Done.",
    "num_turns": 1,
    "duration_ms": 1,
    "total_cost_usd": 0.5,
}
_USAGE = {"input_tokens": 3, "cache_read_input_tokens": 41_000, "output_tokens": 1, "service_tier": "standard"}
_WORDS = "Read the parser, ran the tests, and mended what failed; the third case needs another look. " * 12

_EVEN = """
def write(line):
    print(json.dumps(line), flush=True)
def say(text):
    write({"type": "assistant", "message": {"id": text[:30], "role": "assistant", "usage": {"input_tokens": 3},
           "content": [{"type": "text", "text": text}]}})
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.02)
write(INIT)
say("ready")
wait_for(GO)
# Not all writers in the same moment.
begun = time.monotonic() + os.getpid() % 50 / 1000
for number in range(LINES):
    time.sleep(max(0, begun + number / RATE - time.monotonic()))
    say(f"@{time.monotonic_ns()}@ " + "x" * 700)
wait_for(GO + ".end")
write(RESULT)
"""


def write_burst(path: Path, lines: int = BURST) -> Path:
    """A file of so many lines of LINE_BYTES: in turn something said, a tool's call and its result."""
    with path.open("w") as file:
        file.writelines(_line(number) for number in range(lines))
    return path


def install_burst_writer(sandbox: Sandbox, files: int = 1, stays: bool = False) -> Path:
    """A stand-in that writes a burst as fast as the machine can, `files` times over; returns the file to which it adds
    the moment, in nanoseconds since 1970, when it begins. With `stays` it does not end.
    """
    burst = write_burst(sandbox.root / "burst")
    first, last = (sandbox.root / name for name in ("init", "result"))
    for file, line in ((first, _INIT), (last, _RESULT)):
        file.write_text(json.dumps(line) + "\n")
    begun = sandbox.root / "begun"
    end = "exec sleep 600" if stays else f"exec cat '{last}'"
    written = " ".join([f"'{first}'"] + [f"'{burst}'"] * files)
    path = sandbox.root / "bursting"
    path.write_text(f"#!/bin/sh\ndate +%s%N >> '{begun}'\ncat {written}\n{end}\n")
    path.chmod(0o755)
    sandbox.environment["HLDCTL_CLAUDE"] = str(path)
    return begun


def burst_bytes() -> int:
    """Of its journal once all but the result is written."""
    return len(json.dumps(_INIT)) + 1 + BURST * LINE_BYTES


def install_steady_writer(sandbox: Sandbox, lines: int) -> tuple[Path, Path]:
    """A stand-in that says "ready", waits for a file, then writes so many lines, LINES_A_SECOND, each with the moment
    on the monotonic clock; it ends when there is another file of that name with ".end". Returns it and the file.
    """
    go = sandbox.root / "go"
    head = f"GO, LINES, RATE, INIT, RESULT = {str(go)!r}, {lines}, {LINES_PER_SECOND}, {_INIT!r}, {_RESULT!r}\n"
    return sandbox.claude(head + _EVEN), go


def end_signal(go: Path) -> Path:
    return go.with_name(go.name + ".end")


def _line(number: int) -> str:
    line = _LINES[number % len(_LINES)](number, "")
    room = LINE_BYTES - 1 - len(json.dumps(line))
    return json.dumps(_LINES[number % len(_LINES)](number, _WORDS[:room])) + "\n"


def _message(number: int, role: str, block: dict[str, Any], **more: Any) -> dict[str, Any]:
    message = {"id": f"msg_{number:08}", "type": "message", "role": role, "content": [block], "usage": _USAGE}
    identity = {"parent_tool_use_id": None, "session_id": "s", "uuid": f"00000000-0000-4000-8000-{number:012}"}
    return {"type": role, "message": message} | identity | more


def _said(number: int, words: str) -> dict[str, Any]:
    return _message(number, "assistant", {"type": "text", "text": words})


def _called(number: int, words: str) -> dict[str, Any]:
    call = {"type": "tool_use", "id": f"toolu_{number:08}", "name": "Bash"}
    return _message(number, "assistant", {**call, "input": {"command": f"make test-{number}", "description": words}})


def _answered(number: int, words: str) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": f"toolu_{number - 1:08}", "content": words, "is_error": False}
    return _message(number, "user", block, tool_use_result={"stdout": "", "stderr": "", "interrupted": False})


_LINES = (_said, _called, _answered)
