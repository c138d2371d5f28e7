"""A stand-in for Claude Code that puts each hostile text wherever a stream can have one."""

import json
from typing import Any

from tests.helpers.evil_conversation import EVIL


def write(**line: Any) -> None:
    print(json.dumps(line))


def say(**block: Any) -> None:
    write(type="assistant", message={"role": "assistant", "content": [block]})


for evil in EVIL:
    say(type="text", text=evil)
    say(type="thinking", thinking=evil)
    say(type="tool_use", id=evil, name=evil, input={evil: evil})
    result = {"type": "tool_result", "tool_use_id": evil, "content": evil, "is_error": True}
    write(type="user", message={"role": "user", "content": [result]})
    write(type="system", subtype="task_started", description=evil)
write(type="result", subtype="success", is_error=True, result=EVIL[-1], errors=[EVIL[-1]])
