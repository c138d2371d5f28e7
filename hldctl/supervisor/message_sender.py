"""Delivery of messages to Claude Code, one at a time, and the end of a Claude Code that has nothing left to do."""

from __future__ import annotations

from collections import deque

from hldctl.claude import input_messages
from hldctl.ingest.state import ReducerState
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.states import InputKind, Status
from hldctl.store import messages, sessions
from hldctl.store.admission import scheduler
from hldctl.store.messages import Message
from hldctl.store.session import Session
from hldctl.supervisor.input_pipe import InputPipe
from hldctl.supervisor.queue.wake import load_rules, wake_startable
from hldctl.system.clock import current_time_ms


class MessageSender:
    """The only writer of one session's input pipe.

    A message is marked as sent before it is written. What an earlier supervisor may have written is written again:
    Claude Code ignores a message that it knows.
    """

    def __init__(self, state: StateDirectory, session: Session, pipe: InputPipe, *, is_new: bool) -> None:
        """Continue with a pipe. `is_new` is True if no other sender has used it: all that was sent is in it."""
        self._state = state
        self._session_id: str = session.id
        self._is_kept_open: bool = session.keep_open
        self._is_idle = session.status == Status.IDLE
        self._pipe = pipe
        self._has_asked_to_end = False
        self._lines = deque[bytes]()
        if not is_new:
            messages.requeue_unacknowledged(session.id)

    @property
    def is_writing(self) -> bool:
        """True if a long message is being written: call `advance` again soon."""
        return self._pipe.is_writing

    @property
    def is_idle(self) -> bool:
        """True if the session is kept open and waits for a message."""
        return self._is_idle

    def enqueue_line(self, line: bytes) -> None:
        """Write a line that is not a message before the next message."""
        self._lines.append(line)

    def advance(self, state: ReducerState) -> None:
        """Write the next message, if Claude Code has read the last one; end an idle Claude Code without messages."""
        if self._pipe.is_writing:
            self._pipe.write_rest()
        if self._has_asked_to_end or not self._pipe.is_empty:
            return
        if self._lines:
            self._pipe.write(self._lines.popleft())
        elif (message := messages.next_pending(self._session_id)) is not None:
            if message.kind != InputKind.MESSAGE or self._has_slot():
                messages.mark_sent(message.id)
                self._pipe.write(_line(message))
        elif state.is_idle and not state.tasks:
            # While a task runs in the background, Claude Code is idle as well; the end of the task begins a turn.
            self._rest()

    def _has_slot(self) -> bool:
        """Return whether Claude Code may work; an idle session takes a slot first."""
        if self._is_idle:
            self._is_idle = not scheduler.try_wake(self._session_id, load_rules(), current_time_ms())
            if not self._is_idle:
                self._notify(is_slot_free=False)
        return not self._is_idle

    def _rest(self) -> None:
        """End Claude Code, which waits for a message; if it is kept open, let others have its slot."""
        if messages.begin_closing(self._session_id):
            self._has_asked_to_end = True
            self._pipe.write(input_messages.end_line(self._session_id))
            _load_what_the_end_needs()
        elif self._is_kept_open and not self._is_idle:
            sessions.mark_idle(self._session_id, current_time_ms())
            self._is_idle = True
            self._notify(is_slot_free=True)

    def _notify(self, *, is_slot_free: bool) -> None:
        touch(self._state.session(self._session_id).change_signal)
        if is_slot_free:
            wake_startable(self._state)


def _load_what_the_end_needs() -> None:
    """Import what only the end of the session needs while Claude Code exits, which takes 0.1 s."""
    import psutil  # noqa: F401

    import hldctl.supervisor.processes.nested_sessions  # noqa: F401


def _line(message: Message) -> bytes:
    if message.kind == InputKind.MESSAGE:
        return input_messages.message_line(message.id, message.text)
    return input_messages.control_line(message.id, InputKind(message.kind), message.text)
