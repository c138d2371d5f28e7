"""What a `rate_limit_event` says: that a limit comes near, or that it is reached, and when it ends."""

from __future__ import annotations

from hldctl.claude.stream import JsonObject, mapping, text, whole_number

_SECONDS = range(10**9, 10**10)
"""From 2001 to 2286; what is a thousand times as much is milliseconds, and all else no moment."""


def note(event: JsonObject) -> str | None:
    """For who reads the conversation; nothing of a limit that is far."""
    status = _status(event)
    return None if status in (None, "allowed") else f"Rate limit: {status}"


def resets_at(event: JsonObject) -> int | None:
    """When the limit ends, in milliseconds since 1970; None unless it refuses requests until then."""
    if _status(event) != "rejected":
        return None
    limit = _limit(event)
    moment = whole_number(limit.get("resetsAt")) or whole_number(limit.get("resets_at"))
    if moment is None:
        return None
    if moment in _SECONDS:
        return moment * 1000
    return moment if moment // 1000 in _SECONDS else None


def _status(event: JsonObject) -> str | None:
    return text(_limit(event).get("status"))


def _limit(event: JsonObject) -> JsonObject:
    return mapping(event.get("rate_limit_info")) or event
