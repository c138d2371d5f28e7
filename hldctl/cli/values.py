"""What the values of options mean, and which can be none; for typer's `parser`, which names the option."""

from __future__ import annotations

import math

import typer

from hldctl.errors import BadUsage
from hldctl.sessions import duration
from hldctl.sessions.options import ApprovalTimeout, tool_names
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
    try:
        return duration.limit(text)
    except BadUsage as error:
        raise typer.BadParameter(str(error)) from None


def as_tuple(values: list[str] | None) -> tuple[str, ...] | None:
    """None stays what it is: nothing was said."""
    return tuple(values) if values else None


def tools(values: list[str] | None) -> tuple[str, ...] | None:
    """Each value may name several; an empty one says that there is none, whatever is configured or inherited."""
    return tuple(tool for value in values for tool in tool_names(value)) if values else None
