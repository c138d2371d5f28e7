"""The steps of a rehearsal script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Think:
    text: str


@dataclass(frozen=True)
class Call:
    tool: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Option:
    label: str
    description: str


@dataclass(frozen=True)
class Question:
    text: str
    header: str
    options: tuple[Option, ...]
    is_multiple_choice: bool


@dataclass(frozen=True)
class Ask:
    """Questions to the user, all in one call of AskUserQuestion."""

    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Plan:
    """A plan that the user has to approve."""

    text: str


@dataclass(frozen=True)
class AwaitMessage:
    """The turns after this one answer a message of the user that contains the text."""

    text: str


@dataclass(frozen=True)
class Usage:
    """The tokens of the response, by names of the API; an estimate stands for a missing one."""

    tokens: dict[str, int]


@dataclass(frozen=True)
class Model:
    """The model that the response names, in place of the requested one."""

    name: str


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Fail:
    status: int
    message: str
    times: int | None
    """The number of requests that fail before the next turn is played; None for all."""


@dataclass(frozen=True)
class Hang:
    times: int | None = None
    """The number of requests that get no more data before the next turn is played; None for all."""


@dataclass(frozen=True)
class Limit:
    """A usage limit of a subscription: requests are refused with the time at which the limit ends."""

    seconds: float


Step = Say | Think | Call | Ask | Plan | AwaitMessage | Usage | Model | Wait | Fail | Limit | Hang
Turn = tuple[Step, ...]
