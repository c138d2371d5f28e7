"""A fake Claude Code that writes lines at a steady rate, each with the time at which it was written.

`python steady_writer.py GO LINES RATE` says "ready", waits for the file GO, writes LINES lines, RATE a second, and ends
when there is a file GO.end. Further arguments are ignored. Times are nanoseconds of the monotonic clock.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

INIT = {"type": "system", "subtype": "init", "session_id": "s", "model": "claude-opus-4-6", "cwd": "/", "tools": []}
RESULT = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "result": "Done.",
    "num_turns": 1,
    "duration_ms": 1,
    "total_cost_usd": 0.5,
}


def main(go: str, lines: int, rate: int) -> None:
    _write(INIT)
    _say("ready")
    _wait_for(go)
    # The writers do not all start at the same time.
    started = time.monotonic() + os.getpid() % 50 / 1000
    for number in range(lines):
        time.sleep(max(0, started + number / rate - time.monotonic()))
        _say(f"@{time.monotonic_ns()}@ " + "x" * 700)
    _wait_for(go + ".end")
    _write(RESULT)


def _say(text: str) -> None:
    content = [{"type": "text", "text": text}]
    message = {"id": text[:30], "role": "assistant", "usage": {"input_tokens": 3}, "content": content}
    _write({"type": "assistant", "message": message})


def _write(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _wait_for(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
