"""Texts that try to break out of the document that they are exported to."""

from __future__ import annotations

from tests.helpers.fake_claude_conversation import read_program

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

STREAM = read_program("evil_conversation.py")
"""A stand-in for Claude Code that puts each text wherever a stream can have one."""
