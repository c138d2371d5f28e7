"""All settings and the source of each."""

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
    """In a standard location."""
    MISSING = "missing"


@dataclass(frozen=True)
class Setting:
    key: str
    value: Any
    source: Source
    location: str | None = None
    """The file, variable or directory that it comes from, or the reason why it is missing."""


def list_settings() -> list[Setting]:
    """Return all settings; raise BadUsage if the configuration is not valid."""
    return [*(look() for _, look in _FROM_ENVIRONMENT.values()), *_file_settings()]


def find_setting(key: str) -> Setting:
    """Return one setting, with the value None if it is not set; raise BadUsage for an unknown key."""
    if key in _FROM_ENVIRONMENT:
        return _FROM_ENVIRONMENT[key][1]()
    table, name = split_key(key)
    by_key = {each.key: each for each in _file_settings()}
    if key in by_key:
        return by_key[key]
    if name is not None:
        return Setting(key, None, Source.DEFAULT)
    values = {each.key.partition(".")[2]: each.value for each in by_key.values() if _is_in_table(table, each)}
    return Setting(key, values, Source.FILE, str(schema.path()))


def _is_in_table(table: str, setting: Setting) -> bool:
    return setting.key.startswith(f"{table}.")


def _state_directory_setting() -> Setting:
    try:
        root = str(StateDirectory.from_environment().root)
    except HldctlError as error:
        return Setting("state_directory", None, Source.MISSING, str(error))
    variable = StateDirectory.variable_name()
    if variable is None:
        return Setting("state_directory", root, Source.DEFAULT)
    return Setting("state_directory", root, Source.ENVIRONMENT, variable)


def _claude_setting() -> Setting:
    try:
        path, location = binary.locate_binary()
    except HldctlError as error:
        return Setting("claude", None, Source.MISSING, str(error))
    source = Source.ENVIRONMENT if location in ("HLDCTL_CLAUDE", "PATH") else Source.FOUND
    return Setting("claude", str(path), source, location)


# Settings that come from environment variables instead of the file, each with its variable.
_FROM_ENVIRONMENT = {
    "state_directory": ("HLDCTL_HOME", _state_directory_setting),
    "claude": ("HLDCTL_CLAUDE", _claude_setting),
}


def _file_settings() -> Iterator[Setting]:
    file = schema.path()
    text = schema.read(file)
    file_values = {} if text is None else schema.parse_toml(file, text)
    load.load()
    for key in schema.KEYS:
        if key not in file_values:
            yield Setting(key, schema.default_value(key), Source.DEFAULT)
        elif key in schema.TABLES and file_values[key]:
            for name, value in file_values[key].items():
                yield Setting(f"{key}.{name}", value, Source.FILE, str(file))
        else:
            yield Setting(key, file_values[key], Source.FILE, str(file))


def split_key(key: str) -> tuple[str, str | None]:
    """Return the key and None, or a table and the name in it; raise BadUsage for a key that no file can set."""
    table, _, name = key.partition(".")
    if key in schema.KEYS:
        return key, None
    if table in schema.TABLES and name:
        return table, name
    if key in _FROM_ENVIRONMENT:
        raise BadUsage(f"{key} is set by the environment variable {_FROM_ENVIRONMENT[key][0]}, not in a file.")
    names = {"groups": "groups.NAME", "prune": "prune.older_than, prune.keep"}
    names["worktree"] = "worktree.directory, worktree.copy, worktree.setup"
    known = [names.get(known_key, known_key) for known_key in schema.KEYS]
    raise BadUsage(f"Unknown setting {key!r}; the settings are {', '.join(known)}.")
