"""Reading and validation of the configuration file."""

from __future__ import annotations

from typing import Any

from hldctl import durations
from hldctl.config import schema
from hldctl.config.schema import Configuration
from hldctl.errors import BadUsage


def load() -> Configuration:
    """Return the configuration; raise BadUsage if the file, or a text in it, cannot be parsed."""
    return validate(schema.load())


def validate(configuration: Configuration) -> Configuration:
    """Return the configuration unchanged; raise BadUsage if a text in it cannot be parsed."""
    configured_options(configuration)
    if configuration.profiles:
        # Imported here: most users have none.
        from hldctl.config.profiles import validate_profiles

        validate_profiles(schema.path(), configuration.profiles)
    older_than = (configuration.prune or {}).get("older_than")
    if older_than is not None:
        _parse("prune.older_than", durations.parse_age_seconds, older_than)
    if (limits := configuration.values.get("limits")) is not None:
        _parse("limits.spread", durations.parse_seconds, limits["spread"])
    return configuration


def configured_options(configuration: Configuration) -> dict[str, Any]:
    """Return the configured options of `launch`, by name; raise BadUsage if a text cannot be parsed."""
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
