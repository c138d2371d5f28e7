"""Fake Claude Code programs that write a burst of lines, or lines at a steady rate."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks import steady_writer
from benchmarks.steady_writer import INIT, RESULT
from tests.helpers.sandbox import Sandbox

BURST = 50_000
"""Lines of a burst."""
LINE_BYTES = 1000
"""Length of each line of a burst, including its newline."""
LINES_PER_SECOND = 20

_USAGE = {"input_tokens": 3, "cache_read_input_tokens": 41_000, "output_tokens": 1, "service_tier": "standard"}
_FILLER = "Read the parser, ran the tests, and fixed what failed; the third case needs another look. " * 12


def write_burst(path: Path, lines: int = BURST) -> Path:
    """Write N lines of LINE_BYTES each, alternating text, a tool call and its result; return the path."""
    with path.open("w") as file:
        file.writelines(_line(number) for number in range(lines))
    return path


def install_burst_writer(sandbox: Sandbox, files: int = 1, stay_alive: bool = False) -> Path:
    """Install a fake Claude Code that writes `files` bursts as fast as the machine can.

    Return the file to which each process appends its start time, in nanoseconds since 1970. With `stay_alive` the
    process sleeps afterwards instead of ending.
    """
    burst = write_burst(sandbox.root / "burst")
    first, last = (sandbox.root / name for name in ("init", "result"))
    for file, line in ((first, INIT), (last, RESULT)):
        file.write_text(json.dumps(line) + "\n")
    start_times = sandbox.root / "start-times"
    end = "exec sleep 600" if stay_alive else f"exec cat '{last}'"
    parts = " ".join([f"'{first}'"] + [f"'{burst}'"] * files)
    path = sandbox.root / "burst-writer"
    path.write_text(f"#!/bin/sh\ndate +%s%N >> '{start_times}'\ncat {parts}\n{end}\n")
    path.chmod(0o755)
    sandbox.environment |= {"HLDCTL_CLAUDE": str(path), "ANTHROPIC_API_KEY": "unused"}
    return start_times


def burst_bytes() -> int:
    """Return the size of a burst's journal when everything except the result line is written."""
    return len(json.dumps(INIT)) + 1 + BURST * LINE_BYTES


def install_steady_writer(sandbox: Sandbox, lines: int, rate: int = LINES_PER_SECOND) -> tuple[Path, Path]:
    """Install `steady_writer.py`, with `rate` lines a second, as a fake Claude Code.

    Return the program, and the file whose creation makes it start to write.
    """
    go = sandbox.root / "go"
    path = sandbox.root / "steady-writer"
    command = shlex.join([sys.executable, steady_writer.__file__, str(go), str(lines), str(rate)])
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
    sandbox.environment |= {"HLDCTL_CLAUDE": str(path), "ANTHROPIC_API_KEY": "unused"}
    return path, go


def end_signal(go: Path) -> Path:
    """Return the file whose creation makes the steady writer end."""
    return go.with_name(go.name + ".end")


def _line(number: int) -> str:
    build = _LINE_KINDS[number % len(_LINE_KINDS)]
    room = LINE_BYTES - 1 - len(json.dumps(build(number, "")))
    return json.dumps(build(number, _FILLER[:room])) + "\n"


def _message(number: int, role: str, block: dict[str, Any], **more: Any) -> dict[str, Any]:
    message = {"id": f"msg_{number:08}", "type": "message", "role": role, "content": [block], "usage": _USAGE}
    identity = {"parent_tool_use_id": None, "session_id": "s", "uuid": f"00000000-0000-4000-8000-{number:012}"}
    return {"type": role, "message": message} | identity | more


def _text(number: int, text: str) -> dict[str, Any]:
    return _message(number, "assistant", {"type": "text", "text": text})


def _tool_call(number: int, text: str) -> dict[str, Any]:
    call = {"type": "tool_use", "id": f"toolu_{number:08}", "name": "Bash"}
    return _message(number, "assistant", {**call, "input": {"command": f"make test-{number}", "description": text}})


def _tool_result(number: int, text: str) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": f"toolu_{number - 1:08}", "content": text, "is_error": False}
    return _message(number, "user", block, tool_use_result={"stdout": "", "stderr": "", "interrupted": False})


_LINE_KINDS = (_text, _tool_call, _tool_result)
