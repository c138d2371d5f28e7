"""A line that recalls what a session was asked."""

from __future__ import annotations

from itertools import islice

_LENGTH = 50
_ELLIPSIS = "..."


def summarize(query: str) -> str:
    """The query on one line; if it has more than 50 characters, its first 47 and three dots.

    Characters as a person counts them: an emoji made of several code points, or a letter and its accents, is one.
    """
    line = " ".join(query.split())
    if len(line) <= _LENGTH:
        return line
    if line.isascii():
        return line[: _LENGTH - len(_ELLIPSIS)] + _ELLIPSIS
    # Only here: its tables take 40 ms to load.
    from wcwidth import iter_graphemes

    characters = list(islice(iter_graphemes(line), _LENGTH + 1))
    if len(characters) <= _LENGTH:
        return line
    return "".join(characters[: _LENGTH - len(_ELLIPSIS)]) + _ELLIPSIS
