"""What a `rate_limit_event` says: that a limit comes near, or that it is reached, and when it ends."""

from __future__ import annotations

from hldctl.claude.stream import JsonObject, mapping, text, whole_number

_LATEST_SECONDS = 10**11
"""A moment later than this is one in milliseconds."""


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
    if moment is None or moment <= 0:
        return None
    return moment if moment > _LATEST_SECONDS else moment * 1000


def _status(event: JsonObject) -> str | None:
    return text(_limit(event).get("status"))


def _limit(event: JsonObject) -> JsonObject:
    return mapping(event.get("rate_limit_info")) or event
