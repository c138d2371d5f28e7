"""How a command behaves over a connection: whether it needs a terminal there, and what a broken connection means."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from hldctl.cli.command_line import CommandLine

_RESUMABLE = frozenset({"tail", "events", "approvals"})
_READERS = frozenset({"ls", "show", "tail", "wait", "approvals", "search", "events", "export", "top", "stats", "diff"})
# At a terminal they draw, ask, or show what they wait for.
_DRAWN = _READERS | {"open", "approve", "deny", "answer", "prune", "config", "doctor", "interrupt", "land"}
_ATTACHED = frozenset({"launch", "continue"})


class Conduct(NamedTuple):
    needs_terminal: bool
    is_reader: bool
    """True if it changes nothing, so that it can be run again."""
    is_resumable: bool
    """True if it continues after a broken connection."""
    is_attached: bool
    """True if it waits for the session that it launches."""
    ends_with_link: bool
    """True if it lasts until something happens, and nobody would read that."""
    keeps_exit_code: bool
    """True if its exit code stays that of the session if its output cannot be written."""


def conduct(line: CommandLine) -> Conduct:
    command = line.path[0] if line.path else ""
    follows = line.has("--follow")
    attached = command in _ATTACHED and (follows or line.has("--wait"))
    resumable = command == "wait" or (command in _RESUMABLE and follows)
    return Conduct(
        needs_terminal=(command in _DRAWN or attached) and not line.has("--json", "--raw") and _is_at_terminal(),
        is_reader=command in _READERS,
        is_resumable=resumable,
        is_attached=attached,
        ends_with_link=resumable or attached or command == "send" or line.has("--watch"),
        keeps_exit_code=command == "wait" or (command in _ATTACHED and (line.has("--wait") or not follows)),
    )


def _is_at_terminal() -> bool:
    """Return whether all standard streams are a terminal; a terminal there has one stream for output and errors."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return os.environ.get("TERM", "dumb") != "dumb" and all(
        stream is not None and stream.isatty() for stream in streams
    )
