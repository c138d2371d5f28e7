"""References to other sessions in a query: `{result:ID}` and `{title:ID}`.

A doubled brace on both sides, as in `{{result:ID}}`, stands for the text `{result:ID}`. Other braces are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

_REFERENCE = re.compile(r"\{\{((?:result|title):[^{}\s]+)\}\}|\{(result|title):([^{}\s]+)\}")


class ReferenceKind(StrEnum):
    RESULT = "result"
    TITLE = "title"


class Reference(NamedTuple):
    kind: ReferenceKind
    session_ref: str
    """The session, as the user has typed it."""


def find_references(query: str) -> Iterator[Reference]:
    """Yield the references in a query, in their order."""
    for match in _REFERENCE.finditer(query):
        if match[2] is not None:
            yield Reference(ReferenceKind(match[2]), match[3])


def replace_references(query: str, text: Callable[[Reference], str]) -> str:
    """Return the query with the text of each reference in its place, and with the doubled braces resolved."""

    def replacement(match: re.Match[str]) -> str:
        if match[2] is None:
            return f"{{{match[1]}}}"
        return text(Reference(ReferenceKind(match[2]), match[3]))

    return _REFERENCE.sub(replacement, query)
