"""What a command and a supervisor agree on about interrupts."""

from __future__ import annotations

GRACE_SECONDS = 10.0
"""Default time from SIGINT to SIGTERM; Claude Code needs up to 1.6 s for an orderly exit."""
