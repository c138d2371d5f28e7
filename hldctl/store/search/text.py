"""The text of an event as it is searched, and excerpts of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hldctl.store.search.terms import Term

# Bytes of an excerpt, and how many of them come before the first match.
_EXCERPT_BYTES, _LEAD_BYTES = 160, 50
# A match far from the first one is not looked for: the excerpt cannot show both.
_CHUNK_BYTES = 1 << 16

_BLANK = re.compile(rb"\s")

Token = tuple[int, int, str]
"""The first byte of a word, the byte after its last, and the word as the index has it."""


class Excerpt(NamedTuple):
    """A part of a text, on one line."""

    text: str
    matches: tuple[tuple[int, int], ...]
    """The first character of each match, counted from 0, and the one after its last; in order."""


def searched_text(content: str | None, tool_input: str | None, tool_result: str | None) -> str:
    """Return the text of an event: its content, the values in the input of a tool, and the result of one."""
    parts = [content or "", "" if tool_input is None else "\n".join(_strings(tool_input)), tool_result or ""]
    return "\n".join(part for part in parts if part)


def _strings(tool_input: str) -> Iterator[str]:
    """Yield the texts and numbers in JSON, in their order: escapes such as `\\n` would be parts of words."""
    try:
        pending = [json.loads(tool_input)]
    except (ValueError, RecursionError):
        yield tool_input
        return
    while pending:
        value: Any = pending.pop()
        if isinstance(value, dict):
            pending.extend(reversed(value.values()))
        elif isinstance(value, list):
            pending.extend(reversed(value))
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)


class Tokenizer:
    """The words of a text as the index has them."""

    def __init__(self, tokenizer: Any, reason: int) -> None:
        """`tokenizer` is the driver's, and `reason` what it is used for."""
        self._tokenizer = tokenizer
        self._reason = reason

    def words(self, text: str) -> list[str]:
        return [word for _, _, word in self.tokens(text.encode("utf-8", "replace"))]

    def tokens(self, text: bytes) -> list[Token]:
        found: list[Token] = self._tokenizer(text, self._reason, None, include_colocated=False)
        return found


def excerpt(text: str, terms: Sequence[Term], tokenizer: Tokenizer) -> Excerpt | None:
    """Return the part of a text where the terms are; None if the text lacks one of the terms."""
    encoded = text.encode("utf-8", "replace")
    found = _find(encoded, terms, tokenizer)
    if found is None:
        return None
    first = _densest(found)
    start = max(0, first - _LEAD_BYTES)
    # It begins with a whole word.
    if start and (blank := _BLANK.search(encoded, start, first)) is not None:
        start = blank.end()
    end = min(len(encoded), first + _EXCERPT_BYTES)
    start, end = _character(encoded, start), _character(encoded, end)
    inside = sorted({(max(a, start), min(b, end)) for a, b, _ in found if a < end and b > start})
    return _on_one_line(encoded, start, end, inside)


def _find(encoded: bytes, terms: Sequence[Term], tokenizer: Tokenizer) -> list[tuple[int, int, int]] | None:
    """Return where the terms are: first byte, byte after the last, and number of the term; None if one is missing."""
    found: list[tuple[int, int, int]] = []
    seen: set[int] = set()
    kept: list[Token] = []
    longest = max(len(term.tokens) for term in terms)
    for offset, chunk in _chunks(encoded):
        tokens = kept + [(a + offset, b + offset, word) for a, b, word in tokenizer.tokens(chunk)]
        words = [word for _, _, word in tokens]
        for number, term in enumerate(terms):
            for index in _positions(words, term, max(0, len(kept) - len(term.tokens) + 1)):
                found.append((tokens[index][0], tokens[index + len(term.tokens) - 1][1], number))
                seen.add(number)
        if len(seen) == len(terms):
            return sorted(found)
        kept = tokens[len(tokens) - longest + 1 :] if longest > 1 else []
    return None


def _chunks(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield parts of a text with their first byte; a word is not cut, unless it is as long as a part."""
    start = 0
    while start < len(encoded):
        end = start + _CHUNK_BYTES
        if end < len(encoded):
            blank = max(encoded.rfind(b" ", start, end), encoded.rfind(b"\n", start, end))
            end = blank if blank > start else _character(encoded, end)
        yield start, encoded[start:end]
        start = end


def _positions(words: Sequence[str], term: Term, start: int) -> Iterator[int]:
    *before, last = term.tokens
    for index in range(start, len(words) - len(before)):
        word = words[index + len(before)]
        is_last = word.startswith(last) if term.is_prefix else word == last
        if is_last and all(words[index + position] == each for position, each in enumerate(before)):
            yield index


def _densest(found: Sequence[tuple[int, int, int]]) -> int:
    """Return the first byte of the match that has most other terms shortly after it."""
    best, best_count = found[0][0], 0
    for index, (first, _, _) in enumerate(found):
        limit = first + _EXCERPT_BYTES - _LEAD_BYTES
        near: set[int] = set()
        for start, _, number in found[index:]:
            if start > limit:
                break
            near.add(number)
        if len(near) > best_count:
            best, best_count = first, len(near)
    return best


def _character(encoded: bytes, position: int) -> int:
    """Return where the character begins that has this byte."""
    while 0 < position < len(encoded) and encoded[position] & 0xC0 == 0x80:
        position -= 1
    return position


def _on_one_line(encoded: bytes, start: int, end: int, matches: Sequence[tuple[int, int]]) -> Excerpt:
    """Return the part with white space collapsed, and the matches counted in its characters."""
    text = "…" if start else ""
    places: list[tuple[int, int]] = []
    position = start
    for first, last in _merge(matches):
        text = _join(text, encoded[position:first].decode("utf-8", "replace"))
        length = len(text)
        text = _join(text, encoded[first:last].decode("utf-8", "replace"))
        places.append((length, len(text)))
        position = last
    text = _join(text, encoded[position:end].decode("utf-8", "replace")).rstrip()
    return Excerpt(text + ("…" if end < len(encoded) else ""), tuple(places))


def _merge(matches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in matches:
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _join(text: str, more: str) -> str:
    """Return both texts, with runs of white space as one blank, and none at the beginning."""
    if not (words := more.split()):
        return f"{text} " if more and text and not text.endswith((" ", "…")) else text
    lead = " " if more[0].isspace() and text and not text.endswith((" ", "…")) else ""
    return f"{text}{lead}{' '.join(words)}{' ' if more[-1].isspace() else ''}"
