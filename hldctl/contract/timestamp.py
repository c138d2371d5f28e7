"""The form of times in JSON."""

from __future__ import annotations

from typing import Annotated

Timestamp = Annotated[str, "date-time"]
"""A time as RFC 3339 writes it, in UTC, with milliseconds."""
