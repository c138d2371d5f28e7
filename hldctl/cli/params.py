"""Parsers of option values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer._types import TyperChoice

from hldctl import durations
from hldctl.errors import BadUsage
from hldctl.settings.values import integer
from hldctl.states import Status


def parser(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Convert a parser that raises BadUsage to one for typer, which names the option in the error."""

    def parse_option(text: str) -> Any:
        try:
            return parse(text)
        except BadUsage as error:
            raise typer.BadParameter(str(error)) from None

    return parse_option


class StatusChoice(TyperChoice[str]):
    """The type of statuses; `waiting`, as screens call it, stands for `waiting_input`."""

    def __init__(self) -> None:
        super().__init__([str(status) for status in Status])

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return super().convert("waiting_input" if value == "waiting" else value, param, ctx)


def bounded_int(minimum: int, maximum: int = 2**53) -> Callable[[str], Any]:
    """Return a parser of integers within these bounds.

    typer's own would show the range in symbols, and a maximum that exists only because of SQLite.
    """
    return parser(integer(minimum, maximum))


seconds_parser = parser(durations.parse_seconds)
age_parser = parser(durations.parse_age_seconds)
timeout_parser = parser(durations.parse_timeout_seconds)
