"""A stand-in for Claude Code for the snapshots of each command."""

import json
import sys
import time
from typing import Any

if "--version" in sys.argv:
    print("2.1.330 (Claude Code)")
    sys.exit()
query = json.loads(sys.stdin.readline())["message"]["content"]
ANSWER = "The parser takes **semicolons** now."


def write(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def say(block: dict[str, Any]) -> None:
    usage = {"input_tokens": 1200, "cache_read_input_tokens": 66000, "output_tokens": 4300}
    write(type="assistant", message={"id": query, "model": "claude-opus-5", "content": [block], "usage": usage})


write(type="system", subtype="init", session_id="c" + query[:3], model="claude-opus-5")
if "Push" in query:
    say({"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "git push --force"}})
    time.sleep(3600)
say({"type": "text", "text": ANSWER})
write(
    type="result",
    subtype="success",
    is_error=False,
    num_turns=7,
    duration_ms=252000,
    total_cost_usd=0.4213,
    modelUsage={"claude-opus-5": {"contextWindow": 200000}},
    result=ANSWER,
)
