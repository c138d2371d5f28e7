"""Recognition of Claude Code's "not logged in" error, and advice for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

ADVICE = (
    "Run `claude auth login` at a terminal, or set ANTHROPIC_API_KEY, or set CLAUDE_CODE_OAUTH_TOKEN to the output of "
    "`claude setup-token`; `hldctl doctor` checks the login."
)
# Any of them replaces a login, or names a service with a login of its own.
_LOGIN_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
_SERVICE_PREFIX = "CLAUDE_CODE_USE_"
_TUI_COMMAND = "Please run /login"
# What Claude Code calls the errors that only a person can resolve, at the login or the plan (2.1.332).
_AUTH_ERRORS = frozenset(
    {"authentication_failed", "billing_error", "oauth_org_not_allowed", "account_on_hold", "verification_required"}
)
_UNAUTHORIZED, _FORBIDDEN = 401, 403


def has_login_traces(environment: Mapping[str, str]) -> bool:
    """Return whether Claude Code may be logged in, as far as variables and files show without running it.

    False if there is neither a key nor stored credentials nor a settings file, which may name a helper. On macOS the
    credentials are in the keychain, so True.
    """
    if sys.platform == "darwin":
        return True
    if any(environment.get(name) for name in _LOGIN_VARIABLES):
        return True
    if any(name.startswith(_SERVICE_PREFIX) for name in environment):
        return True
    home = environment.get("HOME") or os.path.expanduser("~")
    directory = environment.get("CLAUDE_CONFIG_DIR") or os.path.join(home, ".claude")
    return any(os.path.exists(os.path.join(directory, name)) for name in (".credentials.json", "settings.json"))


def explain_missing_login(result: str) -> str:
    """Return Claude Code's message with advice for a shell in place of the command of its interactive program."""
    return f"{result.partition(_TUI_COMMAND)[0].rstrip(' ·.')}. {ADVICE}"


def is_login_refused(error: str | None, api_error_status: int | None, result: str | None) -> bool:
    """Return whether a run failed because the account's login is refused, or has no credit.

    `error` is Claude Code's name of the error. It says `authentication_failed` for each 403 too, although that can
    concern this request only, such as its model: then the login must be named.
    """
    if api_error_status == _FORBIDDEN:
        return "OAuth" in (result or "") or "log in" in (result or "")
    return error in _AUTH_ERRORS or api_error_status == _UNAUTHORIZED or is_login_missing(result, api_error_status)


def add_advice(message: str) -> str:
    """Return Claude Code's message about a refused login, with advice for a shell."""
    if "/login" in message:
        return explain_missing_login(message)
    return f"{message.rstrip('. ')}. {ADVICE}" if "authenticate" in message else message


def is_login_missing(result: str | None, api_error_status: int | None) -> bool:
    """Return whether a run failed because nobody is logged in.

    The result is then "Not logged in · Please run /login" (2.1.330), and no API request was made.
    """
    return api_error_status is None and "/login" in (result or "")
