"""Profiles: options of `launch` under a name, in tables `[profiles.NAME]`; and the options of any such table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hldctl.config import schema
from hldctl.errors import BadUsage

TABLE = "profiles"


def validate_profiles(file: Path, profiles: Mapping[str, Any]) -> None:
    """Raise BadUsage if a profile in the file is not valid."""
    for name, values in profiles.items():
        if not name or not all(character.isalnum() or character in "._-" for character in name):
            raise BadUsage(f"{file}: {name!r} cannot name a profile; use letters, digits, '.', '_' and '-'.")
        if not isinstance(values, dict):
            raise BadUsage(f"{file}: the profile {name!r} must be a table, as in [{TABLE}.review], not {values!r}.")
        parse_options(file, values, name)


def parse_options(file: Path, values: Mapping[str, Any], profile: str | None = None) -> dict[str, Any]:
    """Return the options in a table of the file by name; raise BadUsage for an unknown key or an invalid value.

    `profile` is the profile that the table is; None for the top level of a file.
    """
    where = f"{file}: " if profile is None else f"{file}: the profile {profile!r}: "
    return {key: _parse_option(where, key, value) for key, value in values.items()}


def _parse_option(where: str, key: str, value: Any) -> Any:
    if key not in schema.OPTIONS:
        raise BadUsage(f"{where}{unknown_key(key)}")
    if not schema.is_valid_value(key, value):
        raise BadUsage(f"{where}{key} must be {schema.KEYS[key].expected}, not {value!r}.")
    try:
        return schema.OPTIONS[key][1].from_toml(value)
    except BadUsage as error:
        raise BadUsage(f"{where}{key}: {error}") from None


def unknown_key(key: str) -> str:
    """Return a sentence about a key that neither a profile nor a project may have, with the most similar one."""
    if key in schema.KEYS:
        return f"{key} is not an option of a session; set it at the top of {schema.path()}."
    # Imported here: only a mistake needs it.
    import difflib

    similar = difflib.get_close_matches(key, schema.OPTIONS, n=1)
    advice = f"did you mean {similar[0]}?" if similar else f"the keys are {', '.join(schema.OPTIONS)}."
    return f"unknown key {key!r}; {advice}"
