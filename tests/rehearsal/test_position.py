"""The position of a conversation in a script that waits for messages."""

from __future__ import annotations

from typing import Any

import pytest

from hldctl.rehearsal.position import find_position
from hldctl.rehearsal.script import parse
from hldctl.rehearsal.server import RehearsalServer
from hldctl.rehearsal.steps import Say

SCRIPT = parse("""
say One.

call Bash {}

await message

say Two.

await message please

say Three.

[aside]
call Read {}

say Aside.

[NOTIFICATION]
say Ended.
""")
TOOL_RESULT = {"type": "tool_result", "content": "x"}


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def answers(count: int) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": "x"}] * count


def tool_result(*messages: str) -> dict[str, Any]:
    sent = [
        f"The user sent a new message while you were working:\n{text}\n\nThis is how Claude Code surfaces messages."
        for text in messages
    ]
    return {"role": "user", "content": [TOOL_RESULT, *user(*sent)["content"]]}


@pytest.fixture
def server() -> RehearsalServer:
    server = RehearsalServer(SCRIPT)
    server.server_close()
    return server


def reply(server: RehearsalServer, messages: list[dict[str, Any]]) -> str:
    """Return what the script says next, or its tool."""
    step = server.next_turn({"messages": messages})[0]
    return step.text if isinstance(step, Say) else getattr(step, "tool", repr(step))


BEGIN = [user("Hello"), *answers(2)]
"""A conversation in which the script waits for its first message."""
SECOND = [*BEGIN, user("anything"), *answers(1)]
"""A conversation in which the script waits for "please"."""


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user("Hello")], "One."),
        ([user("Hello"), *answers(1), tool_result()], "Bash"),
        ([*BEGIN, tool_result()], "(The script waits for a message.)"),
        ([*BEGIN, tool_result(), *answers(1), user("Go on")], "Two."),
        ([*BEGIN, tool_result("Go on")], "Two."),
        ([*BEGIN, user("Go on")], "Two."),
        ([*SECOND, user("more")], "Noted."),
        ([*SECOND, user("more"), *answers(1), user("please")], "Three."),
        ([*SECOND, user("please aside")], "Three."),
        ([*SECOND, user("aside")], "Read"),
        ([*SECOND, user("aside"), *answers(1), tool_result("please")], "Aside."),
        ([*SECOND, user("aside"), *answers(2), user("please")], "Three."),
        ([*SECOND, user("please"), *answers(1), user("Again")], "One."),
    ],
)
def test_script_continues_after_the_message_that_it_waits_for(
    server: RehearsalServer, messages: list[dict[str, Any]], expected: str
) -> None:
    assert reply(server, messages) == expected


def test_message_that_arrives_early_is_kept(server: RehearsalServer) -> None:
    early = [user("Hello"), *answers(1), tool_result("too early"), *answers(1), tool_result()]
    assert reply(server, early) == "Two."


def test_text_of_claude_code_about_a_message_is_not_part_of_it(server: RehearsalServer) -> None:
    script = parse("call Bash {}\n\nawait message working\n\nsay Two.")
    position = find_position([user("Hello"), *answers(1), tool_result("Go on")], script)
    assert position.played == 1


def test_message_after_an_interrupt_is_beside_the_tool_result(server: RehearsalServer) -> None:
    interrupted = {
        "role": "user",
        "content": [TOOL_RESULT, *user("[Request interrupted by user for tool use]\n")["content"]],
    }
    assert reply(server, [*BEGIN, interrupted, user("Do this")]) == "Two."
    together = {"role": "user", "content": [*interrupted["content"], *user("Do this")["content"]]}
    assert reply(server, [*BEGIN, together]) == "Two."


def test_notification_is_not_the_message(server: RehearsalServer) -> None:
    notice = user("<system-reminder>\n[SYSTEM NOTIFICATION - NOT USER INPUT]\nA task has ended.")
    assert reply(server, [*BEGIN, notice]) == "Ended."
    assert reply(server, [*BEGIN, notice, *answers(1), user("Go on")]) == "Two."
