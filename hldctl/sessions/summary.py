"""A line that recalls what a session was asked."""

from __future__ import annotations

_LENGTH = 50


def summarize(query: str) -> str:
    """The query on one line, cut at 50 characters."""
    line = " ".join(query.split())
    return line if len(line) <= _LENGTH else line[: _LENGTH - 1].rstrip() + "…"
