"""Recognition of Claude Code's "not logged in" error, and advice for it."""

from __future__ import annotations

ADVICE = (
    "Without a terminal: set ANTHROPIC_API_KEY, or set CLAUDE_CODE_OAUTH_TOKEN to the output of `claude setup-token`; "
    "`hldctl doctor` checks that it is set."
)


def is_login_missing(result: str | None, api_error_status: int | None) -> bool:
    """Return whether a run failed because nobody is logged in.

    The result is then "Not logged in · Please run /login" (2.1.330), and no API request was made.
    """
    return api_error_status is None and "/login" in (result or "")
