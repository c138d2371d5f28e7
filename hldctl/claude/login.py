"""That nobody is logged in, as Claude Code says it."""

from __future__ import annotations

ADVICE = (
    "Without a terminal: set ANTHROPIC_API_KEY, or CLAUDE_CODE_OAUTH_TOKEN to what `claude setup-token` gives; "
    "`hldctl doctor` looks whether it is there."
)


def is_missing(result: str | None, api_error_status: int | None) -> bool:
    """By the result of a run for which no request was made: "Not logged in · Please run /login" (2.1.330)."""
    return api_error_status is None and "/login" in (result or "")
