"""Defaults for the options of new sessions, as they are configured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hldctl import durations
from hldctl.config import schema
from hldctl.config.schema import Configuration
from hldctl.errors import BadUsage
from hldctl.sessions.options import SessionOptions, approval_timeout, tool_names

_AS_CONFIGURED = ("model", "permission_mode", "max_budget_usd", "retries", "wait_for_reset", "fail_on_denial")
_LIMITS = ("timeout", "idle_timeout")


def load() -> Configuration:
    """What is configured; raises BadUsage for a file that cannot be understood, or a text in it that means nothing."""
    return checked(schema.load())


def checked(configured: Configuration) -> Configuration:
    """Raises BadUsage for a text that means nothing."""
    texts = [
        *((name, getattr(configured, name), durations.limit) for name in _LIMITS),
        ("approval_timeout", configured.approval_timeout, approval_timeout),
        ("prune.older_than", (configured.prune or {}).get("older_than"), durations.seconds),
    ]
    for name, text, parse in texts:
        try:
            if text is not None:
                parse(text)
        except BadUsage as error:
            raise BadUsage(f"{schema.path()}: {name}: {error}") from None
    return configured


def applied(options: SessionOptions, configured: Configuration) -> SessionOptions:
    """What is said wins over what is configured."""
    defaults: dict[str, Any] = {name: getattr(configured, name) for name in _AS_CONFIGURED}
    for name in _LIMITS:
        text = getattr(configured, name)
        defaults[name] = None if text is None else durations.limit(text)
    if configured.allowed_tools is not None:
        defaults["allowed_tools"] = tuple(tool for text in configured.allowed_tools for tool in tool_names(text))
    return replace(options, **{name: value for name, value in defaults.items() if getattr(options, name) is None})
