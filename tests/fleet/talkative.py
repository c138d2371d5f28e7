"""A stand-in for Claude Code that talks until `go-on` exists; it leaves some tool calls without a result."""

from __future__ import annotations

TALKATIVE = """
text = json.loads(sys.stdin.readline())["message"]["content"]
def write(**line):
    print(json.dumps({"session_id": "11111111-1111-4111-8111-111111111111", **line}), flush=True)
write(type="system", subtype="init", cwd=os.getcwd(), tools=[], model="claude-opus-4-6")
number = 0
while not os.path.exists("go-on"):
    number += 1
    call = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {"command": "make \\ud800 \\0"}}
    write(type="assistant", message={"role": "assistant", "content": [{"type": "text", "text": f"{number} \\0"}, call]})
    result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "made"}
    if number % 3:
        write(type="user", message={"role": "user", "content": [result]})
    time.sleep(0.02)
numbers = {"num_turns": number, "duration_ms": 1, "total_cost_usd": 0.1}
write(type="result", subtype="success", is_error=False, result="Done.", **numbers)
"""
