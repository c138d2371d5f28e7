"""The summary of a query, for lists."""

from __future__ import annotations

from itertools import islice

_SUMMARY_LENGTH = 50
_ELLIPSIS = "..."


def summarize(query: str) -> str:
    """Return the query on one line; if it has more than 50 characters, its first 47 and three dots.

    Characters are graphemes: an emoji of several code points, or a letter with its accents, counts as one.
    """
    line = " ".join(query.split())
    if len(line) <= _SUMMARY_LENGTH:
        return line
    if line.isascii():
        return line[: _SUMMARY_LENGTH - len(_ELLIPSIS)] + _ELLIPSIS
    # Imported only here: its tables take 40 ms to load.
    from wcwidth import iter_graphemes

    characters = list(islice(iter_graphemes(line), _SUMMARY_LENGTH + 1))
    if len(characters) <= _SUMMARY_LENGTH:
        return line
    return "".join(characters[: _SUMMARY_LENGTH - len(_ELLIPSIS)]) + _ELLIPSIS
