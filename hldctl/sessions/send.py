"""Messages to running sessions: the text is recorded in the database, and the session's supervisor delivers it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

from hldctl.errors import BadUsage, NoSuchSession, TimedOut, WrongState
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.sessions import lookup, opened, supervisors, wait
from hldctl.states import InputKind, MessageStatus
from hldctl.store import messages, sessions
from hldctl.store.connection import transaction
from hldctl.store.database import open_database
from hldctl.store.messages import Message
from hldctl.system.clock import current_time_ms


def send(
    state: StateDirectory, ref: str, text: str, *, interrupt: bool = False, message_id: str | None = None
) -> Message:
    """Record a message to a session that has not ended, and wake its supervisor; with `interrupt`, end its turn first.

    If there is a message with this id, return it: the command was begun before. Raise WrongState if the session has
    ended or accepts no further message.
    """
    if message_id is not None:
        with open_database(state):
            if (recorded := messages.get(message_id)) is not None:
                return recorded
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if not text.strip():
        raise BadUsage("The message is empty.")
    interrupts = [(InputKind.INTERRUPT, "")] if interrupt else []
    return _record(state, ref, [*interrupts, (InputKind.MESSAGE, text)], message_id)


def request(state: StateDirectory, ref: str, kind: InputKind, value: str = "") -> Message:
    """Record a request to the Claude Code of a session that has not ended, and wake its supervisor."""
    return _record(state, ref, [(kind, value)])


def _record(
    state: StateDirectory, ref: str, inputs: Sequence[tuple[InputKind, str]], last_id: str | None = None
) -> Message:
    """Record what Claude Code is to get, in this order, wake the supervisor, and return the last of it."""
    with open_database(state):
        session = lookup.find_session(ref)
        supervisors.adopt_lost(state, [session.id])
        opened.require_closed(state, session)
        if session.completed_at is None and session.check_state is not None and session.check_state["began_at"]:
            inputs = _without_interrupts(session.id, inputs)
        with transaction():
            recorded = [_add(session.id, kind, text) for kind, text in inputs[:-1]]
            recorded.append(_add(session.id, *inputs[-1], last_id))
        touch(state.session(session.id).wake_signal)
    return recorded[-1]


def _without_interrupts(session_id: str, inputs: Sequence[tuple[InputKind, str]]) -> Sequence[tuple[InputKind, str]]:
    """Return the inputs for a session whose check runs: its turn has ended. Raise WrongState if none is left."""
    others = [(kind, text) for kind, text in inputs if kind is not InputKind.INTERRUPT]
    if not others:
        raise WrongState(f"Session {session_id} runs its check, not a turn; without --turn, `interrupt` ends it.")
    return others


def _add(session_id: str, kind: InputKind, text: str, message_id: str | None = None) -> Message:
    message_id = message_id or str(uuid.uuid4())
    if not messages.add(message_id, session_id, kind, text, current_time_ms()):
        raise _refusal(session_id)
    message = messages.get(message_id)
    assert message is not None
    return message


def _refusal(session_id: str) -> WrongState:
    session = sessions.get(session_id)
    state = "is ending" if session is None or session.completed_at is None else "has ended"
    return WrongState(f"Session {session_id} {state}; use: hldctl continue {session_id[:8]} MESSAGE.")


def wait_until_acknowledged(state: StateDirectory, message: Message, timeout_seconds: float | None = None) -> Message:
    """Return the message once Claude Code has it; see `_wait` for errors."""
    return _wait(state, message, lambda current: current.acknowledged_at is not None, timeout_seconds)


def wait_until_answered(state: StateDirectory, message: Message, timeout_seconds: float | None = None) -> Message:
    """Return the message once the turn has ended in which the model got it; see `_wait` for errors."""
    return _wait(state, message, lambda current: current.answered_at is not None, timeout_seconds)


def _wait(
    state: StateDirectory, message: Message, is_reached: Callable[[Message], bool], timeout_seconds: float | None
) -> Message:
    """Return the message once it is so; raise WrongState if the session ends before, and TimedOut after the timeout."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds

    def look() -> Message | None:
        current = messages.get(message.id)
        if current is None:
            raise NoSuchSession(f"Session {message.session_id} was deleted.")
        if is_reached(current):
            return current
        if current.status == MessageStatus.CANCELLED or _has_ended(message.session_id):
            delivered = "did not get" if current.delivered_at is None else "did not answer"
            raise WrongState(f"Session {message.session_id} has ended and {delivered} message {message.id}.")
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOut(f"Message {message.id} is {current.status}; the wait for it timed out.")
        supervisors.adopt_lost(state, [message.session_id])
        return None

    return wait.wait_until(look, state, [state.session(message.session_id).change_signal], deadline)


def _has_ended(session_id: str) -> bool:
    session = sessions.get(session_id)
    return session is None or session.completed_at is not None
