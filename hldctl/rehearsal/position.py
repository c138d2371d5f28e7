"""Where in a script a conversation stands, by its request alone: so any number of sessions share one server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# The end of a background task comes to the model wrapped as a reminder (Claude Code 2.1.330).
# What a session is told that is started again, and what Claude Code puts before it (2.1.330).
_CONTINUES = "Continue from where you left off."
_UNASKED = "No response requested."
_NOTIFICATION = "[SYSTEM NOTIFICATION"


@dataclass(frozen=True)
class Position:
    """Where a conversation stands: the prompt that is being answered, and how many answers it has had."""

    prompt: str
    answers: int
    notification: str = ""
    """What Claude Code itself has said since, such as the end of a background task."""
    answers_since: int = 0
    """How many answers the notification has had."""


def position(messages: list[dict[str, Any]]) -> Position:
    """The last user message that is neither a tool result, a reminder nor a notification is the prompt."""
    answers, notification, answers_since = 0, "", 0
    for message in reversed(messages):
        said = _prompt_text(message.get("content"))
        if message.get("role") == "assistant":
            answers += said.strip() != _UNASKED
        elif message.get("role") == "user" and said:
            if _NOTIFICATION not in said:
                return Position(said, answers, notification, answers_since)
            if not notification:
                notification, answers_since = said, answers
    return Position("", answers, notification, answers_since)


def _prompt_text(content: Any) -> str:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [block for block in content or [] if isinstance(block, dict)]
    if any(block.get("type") == "tool_result" for block in blocks):
        return ""
    texts = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    # A conversation that is taken up again has them with a newline more.
    return "\n".join(text.strip() for text in texts if text.strip() != _CONTINUES and _is_said(text))


def _is_said(text: str) -> bool:
    return not text.startswith("<system-reminder>") or _NOTIFICATION in text
