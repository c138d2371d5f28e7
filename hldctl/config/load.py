"""The configuration file, read and validated."""

from __future__ import annotations

from typing import Any

from hldctl import durations
from hldctl.config import schema
from hldctl.config.schema import Configuration
from hldctl.errors import BadUsage


def load() -> Configuration:
    """Return what is configured; raise BadUsage for a file, or a text in it, that cannot be parsed."""
    return validate(schema.load())


def validate(configuration: Configuration) -> Configuration:
    """Return the configuration; raise BadUsage for a text in it that cannot be parsed."""
    options(configuration)
    older_than = (configuration.prune or {}).get("older_than")
    if older_than is not None:
        _parse("prune.older_than", durations.seconds, older_than)
    return configuration


def options(configuration: Configuration) -> dict[str, Any]:
    """Return the options of `launch` that are configured, by name; raise BadUsage for a text that cannot be parsed."""
    return {
        name: _parse(name, option.from_toml, configuration.values[name])
        for name, (_, option) in schema.OPTIONS.items()
        if name in configuration.values
    }


def _parse(key: str, parse: Any, value: Any) -> Any:
    try:
        return parse(value)
    except BadUsage as error:
        raise BadUsage(f"{schema.path()}: {key}: {error}") from None
