"""Stand-ins for Claude Code that write a conversation, with the same timestamps in each run."""

from __future__ import annotations

from pathlib import Path

_PROGRAMS = Path(__file__).parent / "programs"
_ROOT = Path(__file__).parents[2]


def read_program(name: str) -> str:
    """Return the text of a file in tests/helpers/programs that can import from `tests`."""
    return f"sys.path.insert(0, {str(_ROOT)!r})\n" + (_PROGRAMS / name).read_text()


CONVERSATION = (_PROGRAMS / "conversation.py").read_text()
"""Functions that write stream lines, for a test to append calls of them."""

ALL = read_program("every_event.py")
"""A conversation with every kind of event."""
