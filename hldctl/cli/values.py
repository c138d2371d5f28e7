"""What the values of options mean, and which can be none; for typer's `parser`, which names the option."""

from __future__ import annotations

import math

import typer

from hldctl.cli.duration import seconds
from hldctl.errors import BadUsage
from hldctl.sessions.options import ApprovalTimeout
from hldctl.sessions.options import approval_timeout as parsed_timeout


def dollars(text: str) -> float:
    """An amount that can be spent."""
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise typer.BadParameter(f"{text!r} is no amount of dollars; write 5 or 0.50.")
    return amount


def approval_timeout(text: str) -> ApprovalTimeout:
    try:
        return parsed_timeout(text)
    except BadUsage as error:
        raise typer.BadParameter(str(error)) from None


def limit(text: str) -> float:
    """A duration in which something can happen."""
    length = seconds(text)
    if length == 0:
        raise typer.BadParameter("it must be longer than nothing.")
    return length


def as_tuple(values: list[str] | None) -> tuple[str, ...] | None:
    """None stays what it is: nothing was said."""
    return tuple(values) if values else None


def tools(values: list[str] | None) -> tuple[str, ...] | None:
    """Each value may name several, separated by commas outside of parentheses."""
    return as_tuple([tool for value in values or [] for tool in _split(value)])


def _split(value: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for character in value:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in [*parts, current] if part.strip()]
