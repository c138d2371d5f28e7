"""Values with a syntax of their own, in the configuration file and on the command line."""

from __future__ import annotations

from dataclasses import dataclass

from hldctl.durations import seconds
from hldctl.errors import BadUsage


@dataclass(frozen=True)
class ApprovalTimeout:
    """What becomes of a request that nobody answers."""

    milliseconds: int
    allows: bool


def approval_timeout(text: str) -> ApprovalTimeout:
    """`DURATION=deny` or `DURATION=allow`; raises BadUsage for anything else."""
    length, _, outcome = text.partition("=")
    if outcome not in ("deny", "allow"):
        raise BadUsage(f"{text!r} is no approval timeout; write 30m=deny or 30m=allow.")
    return ApprovalTimeout(int(seconds(length) * 1000), outcome == "allow")


def tool_names(text: str) -> list[str]:
    """Separated by commas outside of parentheses."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in [*parts, current] if part.strip()]
