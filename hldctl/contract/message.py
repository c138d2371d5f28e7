"""The JSON object of a message to a session."""

from __future__ import annotations

from typing import TypedDict

from hldctl.contract.timestamp import Timestamp
from hldctl.states import MessageStatus


class MessageObject(TypedDict):
    """A message that was sent to a session with `send`."""

    id: str
    """The message's id, a UUID."""
    session_id: str
    """The session's id."""
    text: str
    """The text that was sent."""
    status: MessageStatus
    """Where the message is on its way to the model."""
    created_at: Timestamp
    """When it was sent."""
    delivered_at: Timestamp | None
    """When it became part of the conversation; null until then."""
    sequence: int | None
    """The number of its event in the conversation; null until it is part of it."""
    answered_at: Timestamp | None
    """When the turn ended in which the model got it; null until then."""
    answer: str | None
    """The result of that turn; null until then, or if the turn had none."""
