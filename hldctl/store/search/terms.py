"""What a user searches for: words, phrases and beginnings of words, and what they are in SQLite's query language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

Tokenize = Callable[[str], list[str]]

# A phrase in quotation marks, which may lack the second one, or a word.
_TERM = re.compile(r'"([^"]*)"?(\*?)|([^\s"]+)')


class Term(NamedTuple):
    """Words that follow each other in a text."""

    tokens: tuple[str, ...]
    """The words as the index has them: without case, accents and punctuation; at least one."""
    is_prefix: bool = False
    """True if the last one is only the beginning of a word."""

    def as_expression(self) -> str:
        return f'"{" ".join(self.tokens)}"{" *" if self.is_prefix else ""}'


def parse(text: str, tokenize: Tokenize) -> list[Term]:
    """Return the terms of a search, which a text must all contain.

    Punctuation separates words in the index as well, so `parser.py` is a phrase of two words. What has neither letters
    nor digits is left out.
    """
    terms = []
    for phrase, star, word in _TERM.findall(text):
        is_prefix = bool(star) or (word or phrase).endswith("*")
        if tokens := tokenize((word or phrase).replace("\0", " ")):
            terms.append(Term(tuple(tokens), is_prefix))
    return terms


def as_text(arguments: Iterable[str]) -> str:
    """Return the search that the arguments of a command make: one with blanks is a phrase, unless it has quotes."""
    return " ".join(f'"{each}"' if '"' not in each and any(map(str.isspace, each)) else each for each in arguments)
