"""Defaults for the options of new sessions, as they are configured."""

from __future__ import annotations

from hldctl import durations
from hldctl.config import schema
from hldctl.config.schema import Configuration
from hldctl.config.values import approval_timeout
from hldctl.errors import BadUsage


def load() -> Configuration:
    """What is configured; raises BadUsage for a file that cannot be understood, or a text in it that means nothing."""
    return checked(schema.load())


def checked(configured: Configuration) -> Configuration:
    """Raises BadUsage for a text that means nothing."""
    texts = [
        *((name, getattr(configured, name), durations.limit) for name in ("timeout", "idle_timeout")),
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
