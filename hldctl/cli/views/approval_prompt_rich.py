"""The permission prompt on a terminal with cursor control: request and question are the last rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.text import Text

from hldctl.cli import output
from hldctl.cli.render.requests.line import Line
from hldctl.cli.terminal.live_region import LiveLine
from hldctl.cli.terminal.rich_console import render_line
from hldctl.cli.views.prompt_question import Question
from hldctl.cli.views.request_view import RequestView

# Lines that stay on the screen of an answered request that is longer than the screen.
_EXCERPT_LINES = 6
# A long request leaves this part of the screen, one third, to what is followed.
_OUTPUT_SHARE = 3


class LiveSurface:
    """An `approval_prompt.Surface` that redraws the question in place, below a window on a long request."""

    def __init__(self, console: Console, live: LiveLine) -> None:
        self._console = console
        self._live = live
        self._above: Sequence[Text] = ()
        self._question: Question | None = None
        self._view = RequestView(())

    def show(self, rows: Sequence[Text]) -> None:
        """Show rows above the question, and redraw both in place."""
        self._above = rows
        self._live.show([*rows, *self._rows()])

    def write(self, lines: Sequence[Line]) -> None:
        self._live.write("".join(f"{render_line(self._console, Text(line.text, line.style))}\n" for line in lines))

    def finish(self, question: Question, how: str | None) -> None:
        self.draw(None)
        lines = question.lines
        if len(self._view.rows(self._width)) >= self._console.height:
            hidden_count = len(lines) - _EXCERPT_LINES
            request_id = question.request.id[:8]
            note = f"… {hidden_count} more lines; `hldctl approvals {request_id}` shows the request in full"
            lines = [*lines[:_EXCERPT_LINES], Line(note, "dim")] if hidden_count > 0 else lines
        self.write([*lines, *([Line(f"{question.subject} {how}")] if how is not None else [])])

    def present(self, question: Question) -> None:
        self._view = RequestView(question.lines)

    def scroll(self, key: str) -> bool:
        return self._view.press(key)

    def draw(self, question: Question | None) -> None:
        self._question = question
        self.show(self._above)

    def may_allow(self, question: Question) -> bool:
        return self._view.end_was_seen

    def release(self) -> AbstractContextManager[None]:
        return self._live.release()

    @property
    def _width(self) -> int:
        # LiveLine leaves the last column free.
        return max(2, self._console.width - 1)

    def _rows(self) -> list[Text]:
        if (question := self._question) is None:
            return []
        question_rows = list(self._question_rows(question))
        # LiveLine leaves one row free for the output above it.
        room = self._console.height - 1 - len(question_rows)
        if is_long := len(self._view.rows(self._width)) > room:
            # A follower's other output stays readable.
            room -= max(1, self._console.height // _OUTPUT_SHARE) if self._above else 1
        visible, below = self._view.window(self._width, room)
        if not is_long:
            return [*visible, *question_rows]
        count = f"{below} more rows" if below else "end"
        position = Text(f"── {count}; ↑ ↓ PgUp PgDn Home End: scroll", "yellow")
        position.truncate(self._width, overflow="ellipsis")
        return [*visible, position, *question_rows]

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
