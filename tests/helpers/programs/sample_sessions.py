"""A stand-in for Claude Code: words in the query decide how the session behaves."""

import json
import os
import sys
import time
from typing import Any

query = json.loads(sys.stdin.readline())["message"]["content"]


def write(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def say(*blocks: dict[str, Any]) -> None:
    usage = {"input_tokens": 1200, "cache_read_input_tokens": 66000, "output_tokens": 4300}
    write(type="assistant", message={"id": query, "model": "claude-opus-5", "content": list(blocks), "usage": usage})


def call(number: int, name: str, **tool_input: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"t{number}", "name": name, "input": tool_input}


mcp_servers = [{"name": "words", "status": "connected"}, {"name": "tickets", "status": "failed"}]
write(type="system", subtype="init", session_id=f"c{os.getpid()}", model="claude-opus-5", mcp_servers=mcp_servers)
if "tests" in query:
    say(
        {"type": "text", "text": "I run the **tests** first."},
        call(1, "Bash", command="npm test -- --watch=false"),
        call(2, "Read", file_path="/src/parser.py"),
    )
if "asks" in query:
    say(call(1, "Bash", command="git push --force"))
if "breaks" in query:
    sys.exit(3)
if any(word in query for word in ("tests", "asks", "ponders")):
    time.sleep(3600)
text = (
    "# Done\n\nThe parser reads **all** of it now:\n\n- `parse()` knows 漢字\n- a table\n\n"
    + "```python\nassert parse('x')\n```\n\n"
    + "\n\n".join(f"Paragraph {n}." for n in range(1, 30))
)
result: dict[str, Any] = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "num_turns": 7,
    "duration_ms": 252000,
    "total_cost_usd": 0.4213,
    "modelUsage": {"claude-opus-5": {"contextWindow": 200000}},
    "result": text,
}
say({"type": "text", "text": "All is done."})
if "fails" in query:
    result |= {"is_error": True, "result": "API Error: 529 Overloaded", "api_error_status": 529}
if "denied" in query:
    result |= {
        "result": "I was \x1b[31mnot\x1b[0m allowed to.",
        "permission_denials": [
            {"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "rm -rf /"}},
            {"tool_name": "Write", "tool_use_id": "t2", "tool_input": {"file_path": "/etc/passwd"}},
        ],
    }
write(**result)
