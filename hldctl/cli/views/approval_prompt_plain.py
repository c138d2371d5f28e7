"""Asking on a terminal that shows plain lines only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import takewhile

from hldctl.cli import output
from hldctl.cli.render.permission_request import Line
from hldctl.cli.views.approval_prompt import Question


class PlainSurface:
    """Implement `approval_prompt.Surface`: write the request once, and the question again below what comes between."""

    def __init__(self) -> None:
        self._asked: tuple[Question, str, str] | None = None
        """What the last line asks: the question, its words, and its hint."""
        self._echoed = ""

    def write(self, lines: Sequence[Line]) -> None:
        self.interrupt()
        for line in lines:
            print(line.printed)
        sys.stdout.flush()

    def finish(self, question: Question, how: str | None) -> None:
        self.interrupt()

    def present(self, question: Question, is_wanted: Callable[[], bool]) -> None:
        self.write(question.lines)

    def draw(self, question: Question | None) -> None:
        if question is None:
            self.interrupt()
            return
        asks = (question, question.words, question.hint)
        if asks != self._asked:
            self.interrupt()
            hint = f"{question.hint}\n" if question.hint else ""
            sys.stdout.write(f"{hint}{question.words} ")
            self._asked, self._echoed = asks, ""
        typed = output.quoted_line(question.typed)
        kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._echoed, typed, strict=False)))
        sys.stdout.write("\b \b" * (len(self._echoed) - kept) + typed[kept:])
        sys.stdout.flush()
        self._echoed = typed

    def may_allow(self, question: Question) -> bool:
        return True

    def away(self) -> AbstractContextManager[None]:
        self.interrupt()
        return nullcontext()

    def interrupt(self) -> None:
        """End the line, before something else is written."""
        if self._asked is not None:
            self._asked = None
            print(flush=True)
