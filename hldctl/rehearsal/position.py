"""A conversation's position in a script, which depends only on its request, so that sessions can share a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# The prompt of a session that is started again, and the message that Claude Code inserts before it (2.1.330).
_CONTINUE_PROMPT = "Continue from where you left off."
_INSERTED_RESPONSE = "No response requested."
# The end of a background task is sent to the model in a reminder that contains this (2.1.330).
_NOTIFICATION = "[SYSTEM NOTIFICATION"


@dataclass(frozen=True)
class Position:
    """A position in a conversation: the prompt that is being answered, and the number of responses so far."""

    prompt: str
    answers: int
    notification: str = ""
    """A later message of Claude Code itself, such as the end of a background task."""
    answers_since: int = 0
    """The number of responses since the notification."""


def find_position(messages: list[dict[str, Any]]) -> Position:
    """Return the position after these messages.

    The prompt is the last user message that is not a tool result, a reminder or a notification.
    """
    answers, notification, answers_since = 0, "", 0
    for message in reversed(messages):
        text = _prompt_text(message.get("content"))
        if message.get("role") == "assistant":
            answers += text.strip() != _INSERTED_RESPONSE
        elif message.get("role") == "user" and text:
            if _NOTIFICATION not in text:
                return Position(text, answers, notification, answers_since)
            if not notification:
                notification, answers_since = text, answers
    return Position("", answers, notification, answers_since)


def _prompt_text(content: Any) -> str:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [block for block in content or [] if isinstance(block, dict)]
    if any(block.get("type") == "tool_result" for block in blocks):
        return ""
    texts = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    # strip(): in a resumed conversation the texts have an additional newline.
    return "\n".join(text.strip() for text in texts if text.strip() != _CONTINUE_PROMPT and _is_message(text))


def _is_message(text: str) -> bool:
    """Return whether the text is not a reminder, or is one that contains a notification."""
    return not text.startswith("<system-reminder>") or _NOTIFICATION in text
