"""Claude Code's own files about conversations: their transcripts, and the processes that have one open (2.1.332)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hldctl.claude.stream import JsonObject, decode, mapping, sequence, text, whole_number
from hldctl.system.processes import identify, is_running

_STARTED = "SessionStart"


def configuration_directory(environment: Mapping[str, str], working_dir: str) -> Path:
    """Return the directory of Claude Code's state. `environment` is Claude Code's."""
    home = environment.get("HOME") or os.path.expanduser("~")
    return Path(working_dir, environment.get("CLAUDE_CONFIG_DIR") or Path(home, ".claude"))


def find_transcript(claude_session_id: str, environment: Mapping[str, str], working_dir: str) -> Path | None:
    """Return the transcript of a conversation, without which it cannot be resumed; None if there is none.

    Claude Code 2.1.330 creates it with its first request, after its `init` line. `environment` is Claude Code's.
    """
    directory = configuration_directory(environment, working_dir)
    return next((directory / "projects").glob(f"*/{claude_session_id}.jsonl"), None)


def find_transcripts(directory: Path, beginning: str) -> list[Path]:
    """Return the transcripts of the conversations whose id begins like this."""
    # A name with special characters of glob is not an id.
    return (
        sorted((directory / "projects").glob(f"*/{beginning}*.jsonl")) if beginning.replace("-", "").isalnum() else []
    )


def add_reporter(settings: dict[str, Any] | None, file: Path) -> dict[str, Any]:
    """Return the user's settings with a hook that reports each conversation that is begun or resumed to a file.

    A user can leave a conversation for another one, as with /clear and /resume.
    """
    import shlex

    command = f"{{ cat; echo; }} >> {shlex.quote(str(file))}"
    merged = dict(settings or {})
    hooks = dict(mapping(merged.get("hooks")))
    hooks[_STARTED] = [*sequence(hooks.get(_STARTED)), {"hooks": [{"type": "command", "command": command}]}]
    return {**merged, "hooks": hooks}


def read_reported(file: Path) -> list[str]:
    """Return the ids of the reported conversations, the first one first."""
    try:
        events = [decode(line) for line in file.read_bytes().split(b"\n")]
    except FileNotFoundError:
        return []
    ids = [text(event.get("session_id")) for event in events if event is not None]
    return list(dict.fromkeys(filter(None, ids)))


class OpenConversation(NamedTuple):
    """A conversation that a running Claude Code has open."""

    pid: int
    is_terminal: bool
    """False if a program talks to it, as hldctl does."""


def find_open(directory: Path, conversation_id: str) -> OpenConversation | None:
    """Return the Claude Code that has the conversation open, a terminal first; None if there is none.

    Claude Code creates the file before its first screen, and removes it at its end unless it is killed.
    """
    found = [_describe(entry) for entry in _entries(directory) if entry.get("sessionId") == conversation_id]
    return min(filter(None, found), key=lambda each: not each.is_terminal, default=None)


def _entries(directory: Path) -> Iterator[JsonObject]:
    for path in (directory / "sessions").glob("*.json"):
        try:
            entry = decode(path.read_bytes())
        except OSError:
            continue
        if entry is not None:
            yield entry


def _describe(entry: JsonObject) -> OpenConversation | None:
    identity = identify(whole_number(entry.get("pid")) or 0)
    if identity is None or not is_running(identity):
        return None
    # The start time in clock ticks since boot, as in /proc: the pid may belong to another process by now.
    started = text(entry.get("procStart"))
    if sys.platform == "linux" and started is not None and started != str(identity.started):
        return None
    is_program = (text(entry.get("entrypoint")) or "").startswith("sdk-")
    return OpenConversation(identity.pid, not is_program and entry.get("kind") in (None, "interactive"))
