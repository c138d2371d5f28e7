"""The permission prompt on a terminal with cursor control: request and question are the last rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.text import Text

from hldctl.cli import output
from hldctl.cli.render.permission_request import Line
from hldctl.cli.terminal.live_region import LiveLine
from hldctl.cli.terminal.rich_console import render_line
from hldctl.cli.views import request_screen
from hldctl.cli.views.approval_prompt import Question
from hldctl.cli.views.request_screen import RequestView
from hldctl.paths import StateDirectory

# Rows shown of a request that does not fit and has a screen of its own.
_EXCERPT_ROWS = 3


class LiveSurface:
    """An `approval_prompt.Surface` that redraws the question in place."""

    def __init__(self, state: StateDirectory, console: Console, live: LiveLine) -> None:
        self._state = state
        self._console = console
        self._live = live
        self._above: Sequence[Text] = ()
        self._question: Question | None = None
        self._view = RequestView(())
        self._was_shown = False

    def show(self, rows: Sequence[Text]) -> None:
        """Show rows above the question, and redraw both in place."""
        self._above = rows
        self._live.show([*rows, *self._rows()])

    def write(self, lines: Sequence[Line]) -> None:
        self._live.write("".join(f"{render_line(self._console, Text(line.text, line.style))}\n" for line in lines))

    def finish(self, question: Question, how: str | None) -> None:
        self.draw(None)
        self.write([*question.lines, *([Line(f"Allow? {how}")] if how is not None else [])])

    def present(self, question: Question, is_wanted: Callable[[], bool]) -> None:
        self._view, self._was_shown = RequestView(question.lines), False
        if not self._fits(question):
            question.can_be_viewed = True
            change_signal = self._state.session(question.request.session_id).change_signal
            with self._live.release():
                self._was_shown = request_screen.show(self._console, question.lines, change_signal, is_wanted)

    def draw(self, question: Question | None) -> None:
        self._question = question
        self.show(self._above)

    def may_allow(self, question: Question) -> bool:
        return self._was_shown

    def release(self) -> AbstractContextManager[None]:
        return self._live.release()

    @property
    def _width(self) -> int:
        # LiveLine leaves the last column free.
        return max(2, self._console.width - 1)

    def _fits(self, question: Question) -> bool:
        rows = len(self._view.rows(self._width)) + len(list(self._question_rows(question)))
        return rows <= self._console.height - 1

    def _rows(self) -> list[Text]:
        if (question := self._question) is None:
            return []
        request = self._view.rows(self._width)
        if self._fits(question):
            self._was_shown = True
        else:
            request = [*request[:_EXCERPT_ROWS], Text(f"… {len(request) - _EXCERPT_ROWS} more rows", "dim")]
        return [*request, *self._question_rows(question)]

    def _question_rows(self, question: Question) -> Iterator[Text]:
        if question.hint:
            yield from Text(question.hint, "yellow").wrap(self._console, self._width)
        typed = output.escape_invisible_line(question.typed)
        line = Text.assemble((question.prompt, "bold yellow"), " ", typed, (" ", "reverse"))
        yield from line.wrap(self._console, self._width)


@contextmanager
def live_line(console: Console) -> Iterator[LiveLine]:
    """Start a LiveLine, and stop it on exit."""
    live = LiveLine(console)
    live.start()
    try:
        yield live
    finally:
        live.stop()
