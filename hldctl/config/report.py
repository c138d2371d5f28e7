"""The settings there are, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hldctl.claude import binary
from hldctl.config import load, schema
from hldctl.errors import BadUsage, HldctlError
from hldctl.paths import StateDirectory


class Source(StrEnum):
    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FOUND = "found"
    """Where hldctl looks by itself."""
    MISSING = "missing"


@dataclass(frozen=True)
class Setting:
    key: str
    value: Any
    source: Source
    location: str | None = None
    """The file, the variable, the place where it was found, or why it is missing."""


def settings() -> list[Setting]:
    """All; raises BadUsage for a configuration that cannot be understood."""
    return [*(look() for _, look in _ELSEWHERE.values()), *_configured()]


def setting(key: str) -> Setting:
    """One; its value is None where nothing is said. Raises BadUsage for a key that there cannot be."""
    if key in _ELSEWHERE:
        return _ELSEWHERE[key][1]()
    table, name = parts(key)
    configured = {each.key: each for each in _configured()}
    if key in configured:
        return configured[key]
    if name is not None:
        return Setting(key, None, Source.DEFAULT)
    values = {each.key.partition(".")[2]: each.value for each in configured.values() if _is_of(table, each)}
    return Setting(key, values, Source.FILE, str(schema.path()))


def _is_of(table: str, setting: Setting) -> bool:
    return setting.key.startswith(f"{table}.")


def _state_directory() -> Setting:
    try:
        root = str(StateDirectory.from_environment().root)
    except HldctlError as error:
        return Setting("state_directory", None, Source.MISSING, str(error))
    variable = StateDirectory.variable_name()
    if variable is None:
        return Setting("state_directory", root, Source.DEFAULT)
    return Setting("state_directory", root, Source.ENVIRONMENT, variable)


def _claude() -> Setting:
    try:
        path, place = binary.located()
    except HldctlError as error:
        return Setting("claude", None, Source.MISSING, str(error))
    source = Source.ENVIRONMENT if place in ("HLDCTL_CLAUDE", "PATH") else Source.FOUND
    return Setting("claude", str(path), source, place)


_ELSEWHERE = {"state_directory": ("HLDCTL_HOME", _state_directory), "claude": ("HLDCTL_CLAUDE", _claude)}
"""What no file sets, each with the variable that does."""


def _configured() -> Iterator[Setting]:
    file = schema.path()
    text = schema.read(file)
    said = {} if text is None else schema.parsed(file, text)
    load.load()
    for key in schema.KEYS:
        if key not in said:
            yield Setting(key, schema.default(key), Source.DEFAULT)
        elif key in schema.TABLES and said[key]:
            for name, value in said[key].items():
                yield Setting(f"{key}.{name}", value, Source.FILE, str(file))
        else:
            yield Setting(key, said[key], Source.FILE, str(file))


def parts(key: str) -> tuple[str, str | None]:
    """The key, or a table's key and the name in it; raises BadUsage for what no file can set."""
    table, _, name = key.partition(".")
    if key in schema.KEYS:
        return key, None
    if table in schema.TABLES and name:
        return table, name
    if key in _ELSEWHERE:
        raise BadUsage(f"{key} is set by the variable {_ELSEWHERE[key][0]}, not in a file.")
    names = {"groups": "groups.NAME", "prune": "prune.older_than, prune.keep"}
    known = [names.get(known, known) for known in schema.KEYS]
    raise BadUsage(f"There is no setting {key!r}; there are {', '.join(known)}.")
