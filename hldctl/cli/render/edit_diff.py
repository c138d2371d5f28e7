"""What an edit changed, in a few lines."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hldctl.cli.output import harmless
from hldctl.cli.render import tool_calls
from hldctl.store.events import Event

_MOST = 8
"""Lines."""
_CONTEXT = 1
_AROUND = 3
"""Unchanged lines around a change, of which a terminal shows fewer."""
_HUNK = re.compile(r"@@ -(\d+),\d+ \+(\d+),\d+ @@")
_FIRST_HUNK = re.compile(rf"^{_HUNK.pattern}$", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """`sign` is +, - or a blank; without a number where nobody knows it."""

    sign: str
    text: str
    number: int | None = None


@dataclass(frozen=True)
class Diff:
    lines: list[Line]

    @property
    def counts(self) -> str:
        added, removed = (sum(line.sign == sign for line in self.lines) for sign in "+-")
        return " ".join([f"+{added}"] * bool(added) + [f"-{removed}"] * bool(removed)) or "no change"

    @property
    def shown(self) -> list[Line]:
        """At most a few lines, of which the changed ones matter most."""
        near = self._near()
        return near if len(near) <= _MOST else near[: _MOST - 1]

    @property
    def left_out(self) -> int:
        return len(self._near()) - len(self.shown)

    def _near(self) -> list[Line]:
        changed = [index for index, line in enumerate(self.lines) if line.sign != " "]
        kept = {near for index in changed for near in range(index - _CONTEXT, index + _CONTEXT + 1)}
        return [
            line for index, line in enumerate(self.lines) if index in kept and (line.text.strip() or line.sign != " ")
        ]


def of_edit(call: Event, result: Event | None) -> Diff:
    """By the hunks in the result, else by what the call was given."""
    lines = [] if result is None else list(_of_hunks(result.tool_result_content or ""))
    return Diff(lines or list(_of_input(tool_calls.tool_input(call))))


def without_hunks(content: str) -> str:
    """What a tool said of an edit besides its diff."""
    return content[: hunk.start()].rstrip("\n") if (hunk := _FIRST_HUNK.search(content)) else content


def _of_hunks(content: str) -> Iterator[Line]:
    """As `claude.tool_result` writes them, behind what the model saw."""
    old = new = 0
    for text in content.split("\n"):
        if (hunk := _HUNK.fullmatch(text)) is not None:
            old, new = int(hunk[1]), int(hunk[2])
        elif new and text[:1] in ("+", "-", " "):
            sign = text[0]
            yield Line(sign, _harmless_line(text[1:]), old if sign == "-" else new)
            old += sign != "+"
            new += sign != "-"


def _of_input(given: dict[str, Any]) -> Iterator[Line]:
    if isinstance(content := given.get("content"), str):
        for number, text in enumerate(content.splitlines(), 1):
            yield Line("+", _harmless_line(text), number)
        return
    edits = given.get("edits")
    for edit in edits if isinstance(edits, list) else [given]:
        if isinstance(edit, dict):
            before, after = (str(edit.get(name) or "").splitlines() for name in ("old_string", "new_string"))
            # The first two lines name files.
            for line in list(difflib.unified_diff(before, after, n=_AROUND, lineterm=""))[2:]:
                if not line.startswith("@@"):
                    yield Line(line[:1], _harmless_line(line[1:]))


def _harmless_line(text: str) -> str:
    return harmless(text.rstrip("\r")).replace("\n", " ")
