"""A conversation that tries to break out of the document it is exported to."""

from __future__ import annotations

EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></details><iframe src=//evil.example></iframe>",
    '" onmouseover="alert(1)',
    "<a href='javascript:alert(1)'>x</a>",
    "</title><svg/onload=alert(1)>",
    "</style><link rel=stylesheet href=//evil.example>",
    "{{ 7 * 7 }}{% for x in y %}",
    "&lt;script&gt;",
    "[x](javascript:alert(1))",
    "[x](data:text/html,alert)",
    "[x](//evil.example)",
    "![x](https://evil.example/x.png)",
    "-->]]><!--",
]


STREAM = f"""
for evil in {EVIL!r}:
    def say(**block):
        print(json.dumps({{"type": "assistant", "message": {{"role": "assistant", "content": [block]}}}}))
    say(type="text", text=evil)
    say(type="thinking", thinking=evil)
    say(type="tool_use", id=evil, name=evil, input={{evil: evil}})
    result = {{"type": "tool_result", "tool_use_id": evil, "content": evil, "is_error": True}}
    print(json.dumps({{"type": "user", "message": {{"role": "user", "content": [result]}}}}))
    print(json.dumps({{"type": "system", "subtype": "task_started", "description": evil}}))
print(json.dumps({{"type": "result", "subtype": "success", "is_error": True, "result": evil, "errors": [evil]}}))
"""
