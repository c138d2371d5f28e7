"""Text printed while the model writes it, when a conversation is followed as plain lines."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable

from hldctl.claude.partial_messages import Piece, PieceKind
from hldctl.cli.output import escape_control_chars
from hldctl.states import EventType
from hldctl.store.approvals import Approval
from hldctl.store.events import Event

Item = Event | Approval


class LiveText:
    """A printer of items that also prints the text being written, and ends up with the same output as without it.

    A text arrives in pieces from the journal and as a whole from the database, in either order. Other items are held
    back until the text is complete.
    """

    def __init__(self, emit: Callable[[Item], None]) -> None:
        self._emit = emit
        self._text: str | None = None
        self._printed_length = 0
        self._finished_texts = deque[str]()
        self._held_items: list[Item] = []

    def add_piece(self, piece: Piece) -> None:
        """Take a piece of the text that is being written."""
        match piece.kind:
            case PieceKind.BEGIN:
                self.close()
                self._text = piece.text
            case PieceKind.MORE if self._text is not None:
                self._text += piece.text
            case PieceKind.END if self._text is not None:
                if self._printed_length:
                    self._finished_texts.append(self._text)
                self.close()

    def print_new_text(self) -> None:
        """Print the part of the text that has not been printed yet."""
        if self._text is None:
            return
        # Newlines at the end are printed only if more text follows.
        ready = len(self._text.rstrip("\r\n"))
        if ready > self._printed_length:
            label = "" if self._printed_length else "claude: "
            new = escape_control_chars(self._text[self._printed_length : ready]).replace("\n", "\n  ")
            sys.stdout.write(label + new)
            sys.stdout.flush()
            self._printed_length = ready

    def add(self, item: Item) -> None:
        """Emit an item, or hold it back while text is being printed."""
        if isinstance(item, Event) and _is_main_message(item):
            if self._text is not None and (item.content or "").startswith(self._text):
                self._finish(item)
                return
            if self._finished_texts and self._finished_texts[0] == item.content:
                self._finished_texts.popleft()
                return
        if self._text is not None and self._printed_length:
            self._held_items.append(item)
        else:
            self._emit(item)

    def close(self) -> None:
        """End the text that is being printed, and emit the items held back."""
        if self._text is not None and self._printed_length:
            self.print_new_text()
            print(flush=True)
        self._text, self._printed_length = None, 0
        held_items, self._held_items = self._held_items, []
        for item in held_items:
            self.add(item)

    def _finish(self, event: Event) -> None:
        """Use the whole text of the event, which arrived before the last pieces."""
        if self._printed_length:
            self._text = event.content or ""
        else:
            self._text = None
            self._emit(event)
        self.close()


def _is_main_message(event: Event) -> bool:
    return event.event_type == EventType.MESSAGE and event.role == "assistant" and event.parent_tool_use_id is None
