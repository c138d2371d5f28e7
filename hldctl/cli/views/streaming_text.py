"""A conversation followed in plain lines, with the text that is being written as it comes."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable

from hldctl.claude.partial_messages import Piece, PieceKind
from hldctl.cli.output import harmless
from hldctl.states import EventType
from hldctl.store.approvals import Approval
from hldctl.store.events import Event

News = Event | Approval


class LiveText:
    """In the end it has printed what would have been printed without it.

    A text comes from the journal in pieces and from the database as a whole, whichever is first. What else happens
    while it is being written waits until it has been.
    """

    def __init__(self, tell: Callable[[News], None]) -> None:
        self._tell = tell
        self._text: str | None = None
        self._printed = 0
        self._written = deque[str]()
        self._held: list[News] = []

    def take(self, piece: Piece) -> None:
        match piece.kind:
            case PieceKind.BEGIN:
                self.close()
                self._text = piece.text
            case PieceKind.MORE if self._text is not None:
                self._text += piece.text
            case PieceKind.END if self._text is not None:
                if self._printed:
                    self._written.append(self._text)
                self.close()

    def print_written(self) -> None:
        if self._text is None:
            return
        # The newlines at the end belong to it only if more follows.
        ready = len(self._text.rstrip("\r\n"))
        if ready > self._printed:
            label = "" if self._printed else "claude: "
            new = harmless(self._text[self._printed : ready]).replace("\n", "\n  ")
            sys.stdout.write(label + new)
            sys.stdout.flush()
            self._printed = ready

    def tell(self, news: News) -> None:
        if isinstance(news, Event) and _is_spoken(news):
            if self._text is not None and (news.content or "").startswith(self._text):
                self._finish(news)
                return
            if self._written and self._written[0] == news.content:
                self._written.popleft()
                return
        if self._text is not None and self._printed:
            self._held.append(news)
        else:
            self._tell(news)

    def close(self) -> None:
        """Ends what has been begun, and tells what has waited for it."""
        if self._text is not None and self._printed:
            self.print_written()
            print(flush=True)
        self._text, self._printed = None, 0
        held, self._held = self._held, []
        for news in held:
            self.tell(news)

    def _finish(self, event: Event) -> None:
        """The whole text has come before its last pieces."""
        if self._printed:
            self._text = event.content or ""
        else:
            self._text = None
            self._tell(event)
        self.close()


def _is_spoken(event: Event) -> bool:
    return event.event_type == EventType.MESSAGE and event.role == "assistant" and event.parent_tool_use_id is None
