"""Delivery of messages to Claude Code, one at a time, and the end of a Claude Code that has nothing left to do."""

from __future__ import annotations

from hldctl.claude import input_messages
from hldctl.ingest.state import ReducerState
from hldctl.store import messages
from hldctl.supervisor.input_pipe import InputPipe


class MessageSender:
    """The only writer of one session's input pipe.

    A message is marked as sent before it is written. What an earlier supervisor may have written is written again:
    Claude Code ignores a message that it knows.
    """

    def __init__(self, session_id: str, pipe: InputPipe, *, is_new: bool) -> None:
        """Continue with a pipe. `is_new` is True if no other sender has used it: all that was sent is in it."""
        self._session_id = session_id
        self._pipe = pipe
        self._has_asked_to_end = False
        if not is_new:
            messages.requeue_unacknowledged(session_id)

    @property
    def is_writing(self) -> bool:
        """True if a long message is being written: call `advance` again soon."""
        return self._pipe.is_writing

    def advance(self, state: ReducerState) -> None:
        """Write the next message, if Claude Code has read the last one; end an idle Claude Code without messages."""
        if self._pipe.is_writing:
            self._pipe.write_rest()
        if self._has_asked_to_end or not self._pipe.is_empty:
            return
        if (message := messages.next_pending(self._session_id)) is not None:
            messages.mark_sent(message.id)
            self._pipe.write(input_messages.message_line(message.id, message.text))
        elif state.is_idle and messages.begin_closing(self._session_id):
            self._has_asked_to_end = True
            self._pipe.write(input_messages.end_line(self._session_id))
