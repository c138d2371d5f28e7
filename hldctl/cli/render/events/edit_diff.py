"""A short diff of an edit by a tool."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hldctl.cli.output import escape_control_chars
from hldctl.cli.render.events import tool_calls
from hldctl.store.events import Event

# Lines of an excerpt.
_MAX_LINES = 8
# Unchanged lines around a change in an excerpt, and in the whole diff.
_EXCERPT_CONTEXT = 1
_DIFF_CONTEXT = 3
_HUNK = re.compile(r"@@ -(\d+),\d+ \+(\d+),\d+ @@")
_FIRST_HUNK = re.compile(rf"^{_HUNK.pattern}$", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """A line of a diff; `sign` is +, - or a blank, and `number` is None if unknown."""

    sign: str
    text: str
    number: int | None = None


@dataclass(frozen=True)
class Diff:
    """The lines of a diff."""

    lines: list[Line]

    @property
    def counts(self) -> str:
        added, removed = (sum(line.sign == sign for line in self.lines) for sign in "+-")
        return " ".join([f"+{added}"] * bool(added) + [f"-{removed}"] * bool(removed)) or "no change"

    @property
    def excerpt(self) -> list[Line]:
        """The changed lines and those next to them, at most a few."""
        lines = self._with_neighbours()
        return lines if len(lines) <= _MAX_LINES else lines[: _MAX_LINES - 1]

    @property
    def hidden_count(self) -> int:
        return len(self._with_neighbours()) - len(self.excerpt)

    def _with_neighbours(self) -> list[Line]:
        changed_indexes = [index for index, line in enumerate(self.lines) if line.sign != " "]
        indexes = {
            neighbour
            for index in changed_indexes
            for neighbour in range(index - _EXCERPT_CONTEXT, index + _EXCERPT_CONTEXT + 1)
        }
        return [
            line
            for index, line in enumerate(self.lines)
            if index in indexes and (line.text.strip() or line.sign != " ")
        ]


def compute_diff(call: Event, result: Event | None) -> Diff:
    """Return the diff in the result's hunks, or else one made from the input of the call."""
    lines = [] if result is None else list(_lines_from_hunks(result.tool_result_content or ""))
    return Diff(lines or list(_lines_from_input(tool_calls.tool_input(call))))


def strip_hunks(content: str) -> str:
    """Return what a tool reported about an edit, without the diff."""
    return content[: hunk.start()].rstrip("\n") if (hunk := _FIRST_HUNK.search(content)) else content


def _lines_from_hunks(content: str) -> Iterator[Line]:
    """Yield the lines of hunks as `claude.tool_result` writes them, after the text that the model saw."""
    old = new = 0
    for text in content.split("\n"):
        if (hunk := _HUNK.fullmatch(text)) is not None:
            old, new = int(hunk[1]), int(hunk[2])
        elif new and text[:1] in ("+", "-", " "):
            sign = text[0]
            yield Line(sign, _escape_line(text[1:]), old if sign == "-" else new)
            old += sign != "+"
            new += sign != "-"


def _lines_from_input(tool_input: dict[str, Any]) -> Iterator[Line]:
    if isinstance(content := tool_input.get("content"), str):
        for number, text in enumerate(content.splitlines(), 1):
            yield Line("+", _escape_line(text), number)
        return
    edits = tool_input.get("edits")
    for edit in edits if isinstance(edits, list) else [tool_input]:
        if isinstance(edit, dict):
            before, after = (str(edit.get(name) or "").splitlines() for name in ("old_string", "new_string"))
            # The first two lines are file names.
            for line in list(difflib.unified_diff(before, after, n=_DIFF_CONTEXT, lineterm=""))[2:]:
                if not line.startswith("@@"):
                    yield Line(line[:1], _escape_line(line[1:]))


def _escape_line(text: str) -> str:
    return escape_control_chars(text.rstrip("\r")).replace("\n", " ")
