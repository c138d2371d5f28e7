"""The permission prompt on a terminal that shows plain lines only."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import takewhile

from hldctl.cli import output
from hldctl.cli.render.requests.line import Line
from hldctl.cli.views.prompt_question import Question


class PlainSurface:
    """An `approval_prompt.Surface` that writes each request once, and repeats the question after other output."""

    def __init__(self) -> None:
        # The question, its prompt and its hint, as shown on the last line.
        self._shown: tuple[Question, str, str] | None = None
        self._echoed = ""

    def write(self, lines: Sequence[Line]) -> None:
        self.interrupt()
        for line in lines:
            print(line.printed)
        sys.stdout.flush()

    def finish(self, question: Question, how: str | None) -> None:
        self.interrupt()

    def present(self, question: Question) -> None:
        self.write(question.lines)

    def scroll(self, key: str) -> bool:
        return False

    def draw(self, question: Question | None) -> None:
        if question is None:
            self.interrupt()
            return
        current = (question, question.prompt, question.hint)
        if current != self._shown:
            self.interrupt()
            hint = f"{question.hint}\n" if question.hint else ""
            sys.stdout.write(f"{hint}{question.prompt} ")
            self._shown, self._echoed = current, ""
        typed = output.escape_invisible_line(question.typed)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._echoed, typed, strict=False)))
        sys.stdout.write("\b \b" * (len(self._echoed) - common) + typed[common:])
        sys.stdout.flush()
        self._echoed = typed

    def may_allow(self, question: Question) -> bool:
        return True

    def release(self) -> AbstractContextManager[None]:
        self.interrupt()
        return nullcontext()

    def interrupt(self) -> None:
        """End the line of the question, so that other output can follow."""
        if self._shown is not None:
            self._shown = None
            print(flush=True)
