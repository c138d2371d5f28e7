"""A fake Claude Code that writes a given number of events, with a stop early and a stop at the end."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


def main(events: int, early: int, length: int) -> None:
    """Write events with texts of `length` characters; stop after event number `early`, and after the last one.

    A stop creates the file `early-written` or `late-written`, and lasts until there is `early-seen` or `late-seen`.
    """
    print(json.dumps({"type": "system", "subtype": "init", "session_id": "x", "model": "claude-opus-5"}))
    number = 0
    for number in range(events):
        sys.stdout.write(_event(number, length))
        if number % 100 == 0:
            print(json.dumps({"type": f"novelty-{number}"}))
        if number == early:
            _stop("early")
    _stop("late")
    result = {"type": "result", "subtype": "success", "is_error": False, "result": str(number), "num_turns": 1}
    print(json.dumps({**result, "duration_ms": 1, "total_cost_usd": 0.5}))


def _event(number: int, length: int) -> str:
    """Return a line; of ten lines one is a tool call, one is its result and eight are texts."""
    if number % 10 == 0:
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {"n": number}}
        return _line(number, "assistant", block)
    if number % 10 == 1:
        block = {"type": "tool_result", "tool_use_id": f"toolu_{number - 1}", "content": f"out {number}"}
        return _line(number, "user", block)
    parent = f"toolu_{number // 20}" if number % 20 == 2 else None
    block = {"type": "text", "text": f"{number} " + "x" * length}
    return _line(number, "assistant", block, parent_tool_use_id=parent)


def _line(number: int, kind: str, block: dict[str, Any], **more: Any) -> str:
    message = {"id": f"msg_{number}", "role": kind, "content": [block], "usage": {"input_tokens": 1}}
    return json.dumps({"type": kind, "message": message, **more}) + "\n"


def _stop(name: str) -> None:
    sys.stdout.flush()
    with open(f"{name}-written", "w"):
        pass
    while not os.path.exists(f"{name}-seen"):
        time.sleep(0.01)
