"""A conversation's position in a script, which depends only on its messages, so that sessions can share a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hldctl.rehearsal.conversation import Kind, read_conversation
from hldctl.rehearsal.script import Script
from hldctl.rehearsal.steps import AwaitMessage, Fail, Hang, Limit, Say, Turn

# The answer to a notification or a message for which the script has none.
_NOTED: Turn = (Say("Noted."),)
_WAITING: Turn = (Say("(The script waits for a message.)"),)


def refusal(turn: Turn) -> Fail | Hang | Limit | None:
    """Return the step with which this turn refuses requests for some time; None if it answers them."""
    for step in turn:
        if isinstance(step, Limit) or (isinstance(step, Fail | Hang) and step.times is not None):
            return step
    return None


@dataclass
class _Place:
    """A place in the turns of a section: the number of turns that have been played."""

    turns: tuple[Turn, ...]
    played: int = 0

    @property
    def awaited(self) -> AwaitMessage | None:
        """The message that the script waits for."""
        turns = [turn for turn in self.turns if refusal(turn) is None]
        step = turns[self.played][0] if self.played < len(turns) else None
        return step if isinstance(step, AwaitMessage) else None

    def read(self, text: str) -> bool:
        """Continue after the wait for a message, if this is the one; return whether it is."""
        is_awaited = self.awaited is not None and self.awaited.text in text
        self.played += is_awaited
        return is_awaited


@dataclass(frozen=True)
class Position:
    """A position in a script."""

    prompt: str
    """What is being answered: the first line of a prompt, or a notification; the same when more is added to it."""
    turns: tuple[Turn, ...]
    played: int
    """The number of these turns that have been played, without those that refuse requests."""
    otherwise: Turn | None
    """The answer when no turn is left or the script waits for a message; None if the first turn is an error."""


def find_position(messages: list[dict[str, Any]], script: Script) -> Position:
    """Return the position after these messages.

    A prompt starts the script or one of its sections, unless the script waits for it. Messages that arrive within a
    turn are kept until the script waits for one.
    """
    walk = _Walk(script)
    for entry in read_conversation(messages):
        walk.step(entry.kind, entry.text)
    return walk.position()


class _Walk:
    """A walk through a conversation."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._main = _Place(script.turns)
        self._aside: _Place | None = None
        """The answer to a notification, or to a message that the script does not wait for."""
        self._prompt = ""
        self._is_answered = True
        self._is_notified = False
        self._unread: list[str] = []

    @property
    def _place(self) -> _Place:
        return self._aside or self._main

    def step(self, kind: Kind, text: str) -> None:
        match kind:
            case Kind.RESPONSE:
                self._is_answered = True
                self._place.played += self._place.awaited is None
            case Kind.MESSAGE:
                self._unread.append(text)
            case Kind.NOTIFICATION:
                self._notify(text)
            case Kind.PROMPT:
                self._begin(text)
        self._read_messages()

    def _read_messages(self) -> None:
        while (number := next((n for n, text in enumerate(self._unread) if self._place.read(text)), None)) is not None:
            del self._unread[: number + 1]

    def _notify(self, text: str) -> None:
        turns = self._script.section_for(text)
        self._aside = None if turns is None else _Place(turns)
        if turns is not None:
            self._prompt = text
        self._is_notified = True

    def _begin(self, prompt: str) -> None:
        if self._is_answered:
            self._prompt = prompt.partition("\n")[0]
        self._is_answered = self._is_notified = False
        if self._aside is not None and self._aside.read(prompt):
            return
        self._aside = None
        if self._main.read(prompt):
            return
        if self._main.awaited is None:
            self._main = _Place(self._script.turns_for(prompt))
            self._unread.clear()
        else:
            self._aside = _Place(self._script.section_for(prompt) or (_NOTED,))

    def position(self) -> Position:
        place = self._place
        if self._is_notified:
            otherwise: Turn | None = _NOTED
        else:
            otherwise = None if place.awaited is None else _WAITING
        return Position(self._prompt, place.turns, place.played, otherwise)
