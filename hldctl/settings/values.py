"""Values with a syntax of their own, in the configuration file and on the command line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from hldctl import durations
from hldctl.errors import BadUsage


class ApprovalTimeout(NamedTuple):
    """What happens to a permission request that nobody answers."""

    milliseconds: int
    allows: bool


def approval_timeout(text: str) -> ApprovalTimeout:
    """Parse `DURATION=deny` or `DURATION=allow`; raise BadUsage for anything else."""
    length, _, outcome = text.partition("=")
    if outcome not in ("deny", "allow"):
        raise BadUsage(f"{text!r} is not an approval timeout; write 30m=deny or 30m=allow.")
    return ApprovalTimeout(int(durations.parse_seconds(length) * 1000), outcome == "allow")


class QuestionTimeout(NamedTuple):
    """What happens to a question that nobody answers."""

    milliseconds: int
    takes_first: bool


def question_timeout(text: str) -> QuestionTimeout:
    """Parse `DURATION=first` or `DURATION=deny`; raise BadUsage for anything else."""
    length, _, outcome = text.partition("=")
    if outcome not in ("first", "deny"):
        raise BadUsage(f"{text!r} is not a question timeout; write 10m=first or 10m=deny.")
    return QuestionTimeout(int(durations.parse_seconds(length) * 1000), outcome == "first")


def tool_names(text: str) -> list[str]:
    """Split a list of tools at the commas outside of parentheses, as in `Read,Bash(git log:*, git diff:*)`."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in [*parts, current] if part.strip()]


def session_refs(text: str) -> list[str]:
    """Split a list of sessions at the commas; raise BadUsage for an empty one, such as an unset variable of a shell."""
    refs = [ref.strip() for ref in text.split(",")]
    if not all(refs):
        raise BadUsage(f"{text!r} lacks the id of a session; write an id or a name, or several with commas.")
    return refs


def dollars(text: str) -> float:
    """Parse an amount of dollars, 0 or more; raise BadUsage for anything else."""
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise BadUsage(f"{text!r} is not an amount of dollars; write 5 or 0.50.")
    return amount


def milliseconds(text: str) -> int:
    """Parse a duration; raise BadUsage for anything else."""
    return int(durations.parse_seconds(text) * 1000)


def limit_ms(text: str) -> int:
    """Parse a duration longer than zero, in milliseconds; raise BadUsage for anything else."""
    return int(durations.parse_timeout_seconds(text) * 1000)


def integer(minimum: int, maximum: int = 2**53) -> Callable[[str], int]:
    """Return a parser of integers within these bounds, which raises BadUsage for anything else."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise BadUsage(f"{text!r} is not a whole number.") from None
        if number < minimum:
            raise BadUsage(f"{number} is too small; write {minimum} or more.")
        if number > maximum:
            raise BadUsage(f"{number} is too large; write {maximum} or less.")
        return number

    return parse
