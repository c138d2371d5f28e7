"""The messages in Claude Code's transcript of a conversation, from which it resumes (2.1.332)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from hldctl.claude.stream import JsonObject, mapping, text


def contained_messages(transcript: Path, messages: Mapping[str, str]) -> set[str]:
    """Return the ids of those of the messages, given with their texts, oldest first, that are in a transcript.

    Claude Code repeats a message in its stream before it is in the transcript, so that a kill may still lose it.
    """
    ids = list(messages)
    found: set[str] = set()
    with transcript.open("rb") as lines:
        for line in lines:
            for message_id, content in _messages(line):
                if message_id in messages:
                    found.add(message_id)
                    found |= _merged(content, ids[: ids.index(message_id)], messages, messages[message_id])
    return found


def _messages(line: bytes) -> Iterator[tuple[str, str]]:
    """Yield the id and the content of each message that a line contains."""
    try:
        entry = json.loads(line)
    except ValueError:
        # The last line of a process that was killed.
        return
    if not isinstance(entry, dict):
        return
    attachment: JsonObject = mapping(entry.get("attachment"))
    if entry.get("type") == "user" and isinstance(content := mapping(entry.get("message")).get("content"), str):
        yield text(entry.get("uuid")) or "", content
    elif attachment.get("type") == "queued_command":
        yield text(attachment.get("source_uuid")) or "", ""


def _merged(content: str, earlier: list[str], messages: Mapping[str, str], last: str) -> set[str]:
    """Return the ids of the messages that Claude Code has put before the last one, with its id only.

    It does so with those that arrived while it was writing an answer.
    """
    found: set[str] = set()
    rest = content.removesuffix(last)
    for message_id in reversed(earlier):
        if not rest.endswith(f"{messages[message_id]}\n"):
            break
        found.add(message_id)
        rest = rest.removesuffix(f"{messages[message_id]}\n")
    return found
