"""Functions of a stand-in for Claude Code: it writes stream lines whose timestamps are the same in each run.

Tests append their own lines to the text of this file, so it cannot begin with a `__future__` import.
"""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

WORK = Path.cwd()
clock = datetime(2026, 1, 1, 12, tzinfo=UTC)


def write(**line: Any) -> None:
    print(json.dumps({"session_id": "s", **line}), flush=True)


def advance_clock(seconds: float) -> None:
    global clock
    clock += timedelta(seconds=seconds)


def turn(role: str, content: list[dict[str, Any]], parent: str | None = None, **fields: Any) -> None:
    usage = {"input_tokens": 30000, "output_tokens": 2000}
    message = {"id": f"m{clock}", "role": role, "content": content, **({"usage": usage} if role == "assistant" else {})}
    write(type=role, message=message, parent_tool_use_id=parent, timestamp=clock.isoformat(), **fields)


def say(text: str, parent: str | None = None) -> None:
    turn("assistant", [{"type": "text", "text": text}], parent)


def think(text: str) -> None:
    turn("assistant", [{"type": "thinking", "thinking": text}])


def call(tool_id: str, name: str, parent: str | None = None, **tool_input: Any) -> None:
    turn("assistant", [{"type": "tool_use", "id": tool_id, "name": name, "input": tool_input}], parent)


def answer(
    tool_id: str,
    text: str,
    seconds: float,
    parent: str | None = None,
    is_error: bool = False,
    structured: dict[str, Any] | None = None,
) -> None:
    """Write the result of a tool call that took this long."""
    advance_clock(seconds)
    block = {"type": "tool_result", "tool_use_id": tool_id, "content": text, "is_error": is_error}
    turn("user", [block], parent, **({"tool_use_result": structured} if structured else {}))


def done(**fields: Any) -> None:
    model_usage = {"m": {"inputTokens": 210000, "outputTokens": 9000, "contextWindow": 200000}}
    write(
        type="result",
        subtype="success",
        is_error=False,
        result="Done.",
        num_turns=7,
        duration_ms=65000,
        total_cost_usd=0.42,
        modelUsage=model_usage,
        **fields,
    )


def pause(name: str) -> None:
    """Wait until a file of this name exists."""
    while not os.path.exists(name):
        time.sleep(0.02)
