"""What the user said in a conversation, as the Messages API gets it from Claude Code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

# The prompt of a session that is started again, and the message that Claude Code inserts before it (2.1.330).
_CONTINUE_PROMPT = "Continue from where you left off."
_INSERTED_RESPONSE = "No response requested."
# The end of a background task is sent to the model in a reminder that contains this (2.1.330).
_NOTIFICATION = "[SYSTEM NOTIFICATION"
# A message that was sent while the model worked is put beside the tool's result (2.1.332).
_WHILE_WORKING = re.compile(
    r"The user sent a new message while you were working:\n(?P<text>.*?)(?:\n\nThis is how Claude Code surfaces .*)?",
    re.DOTALL,
)
# After an interrupt, the next prompt is beside the tool's result (2.1.332).
_INTERRUPTED = "[Request interrupted by user"
# With --json-schema, this result ends the turn, and the next prompt is beside it (2.1.332).
_OUTPUT_TAKEN = "Structured output provided successfully"
# If the turn ends without that, Claude Code asks for it once (2.1.332).
_OUTPUT_WANTED = "[structured-output-enforce]"


class Kind(Enum):
    RESPONSE = "response"
    PROMPT = "prompt"
    MESSAGE = "message"
    """A message of the user that reached the model within a turn."""
    NOTIFICATION = "notification"
    """A message of Claude Code itself, such as the end of a background task."""


class Entry(NamedTuple):
    kind: Kind
    text: str


def read_conversation(messages: list[dict[str, Any]]) -> Iterator[Entry]:
    """Yield the model's responses and the messages to it, without tool results and reminders."""
    for message in messages:
        texts = [str(block.get("text", "")).strip() for block in _blocks(message) if block.get("type") == "text"]
        if message.get("role") == "assistant":
            if "\n".join(texts) != _INSERTED_RESPONSE:
                yield Entry(Kind.RESPONSE, "")
        elif message.get("role") == "user":
            yield from _user_entries(message, texts)


def _user_entries(message: dict[str, Any], texts: list[str]) -> Iterator[Entry]:
    prompt = []
    results = [block.get("content") for block in _blocks(message) if block.get("type") == "tool_result"]
    has_prompt = not results or _OUTPUT_TAKEN in results or any(text.startswith(_INTERRUPTED) for text in texts)
    for text in texts:
        if (sent := _WHILE_WORKING.fullmatch(text)) is not None:
            yield Entry(Kind.MESSAGE, sent["text"])
        elif text.startswith("<system-reminder>"):
            if _NOTIFICATION in text and has_prompt:
                yield Entry(Kind.NOTIFICATION, text)
        elif text.startswith(_OUTPUT_WANTED):
            yield Entry(Kind.NOTIFICATION, text)
        elif has_prompt and text != _CONTINUE_PROMPT and not text.startswith(_INTERRUPTED):
            prompt.append(text)
    if any(prompt):
        yield Entry(Kind.PROMPT, "\n".join(prompt))


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or [] if isinstance(block, dict)]
