"""All settings and the source of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hldctl.claude import binary
from hldctl.config import load, schema
from hldctl.config.budgets import BUDGET_KEYS, GROUP_KEYS
from hldctl.config.fleet import KEYS as FLEET_KEYS
from hldctl.config.layers import Ignored, Layers, Profile, find_layers, find_profiles
from hldctl.config.profiles import TABLE
from hldctl.config.schema import Configuration
from hldctl.contract.setting import SettingSource
from hldctl.errors import BadUsage, HldctlError
from hldctl.paths import StateDirectory


@dataclass(frozen=True)
class Setting:
    key: str
    value: Any
    source: SettingSource
    location: str | None = None
    """The file, variable or directory that it comes from, or the reason why it is missing."""
    profile: str | None = None
    """The profile that it comes from, if the source is a profile."""


class Report(NamedTuple):
    settings: list[Setting]
    ignored: Ignored | None
    """Settings of the project that are not used."""


def list_settings(working_dir: str = ".", profile: str | None = None) -> Report:
    """Return all settings as a session in the directory, with the profile, would get them.

    Raise BadUsage if a file is not valid, or if the profile does not exist.
    """
    configuration = load.load()
    layers = find_layers(_state_directory(), configuration, working_dir, profile)
    settings = [
        *(look() for _, look in _FROM_ENVIRONMENT.values()),
        *_settings_of_files(configuration, layers, profile),
        *_settings_of_profiles(find_profiles(configuration, working_dir)),
    ]
    return Report(settings, layers.ignored)


def find_setting(key: str) -> Setting:
    """Return one setting, with the value None if it is not set; raise BadUsage for an unknown key."""
    if key in _FROM_ENVIRONMENT:
        return _FROM_ENVIRONMENT[key][1]()
    table, name = split_key(key)
    if table == TABLE:
        return _profile_setting(key, name)
    by_key = {each.key: each for each in list_settings().settings}
    if key in by_key:
        return by_key[key]
    if name is not None and not any(_is_in_table(key, each) for each in by_key.values()):
        return Setting(key, None, SettingSource.DEFAULT)
    values = {each.key.removeprefix(f"{key}."): each.value for each in by_key.values() if _is_in_table(key, each)}
    return Setting(key, values, SettingSource.FILE, str(schema.path()))


def _profile_setting(key: str, rest: str | None) -> Setting:
    """Return all profiles, one of them, or a key of one; `rest` is the part of `key` after the table."""
    profiles = find_profiles(load.load(), ".")
    if rest is None:
        values = {name: dict(profile.values) for name, profile in profiles.items()}
        return Setting(key, values, SettingSource.FILE, str(schema.path()))
    name, option = split_profile_key(rest)
    profile = profiles.get(name)
    if profile is None:
        return Setting(key, None, SettingSource.DEFAULT)
    value = dict(profile.values) if option is None else profile.values.get(option)
    return Setting(key, value, _source(profile), str(profile.file))


def split_profile_key(rest: str) -> tuple[str, str | None]:
    """Return the profile and the option that `NAME.OPTION` has; the option is None for a profile alone."""
    name, _, option = rest.rpartition(".")
    return (name, option) if name and option in schema.OPTIONS else (rest, None)


def _is_in_table(table: str, setting: Setting) -> bool:
    return setting.key.startswith(f"{table}.")


def _state_directory() -> StateDirectory:
    try:
        return StateDirectory.from_environment()
    except HldctlError:
        # No project is trusted there; the state directory is reported as missing.
        return StateDirectory(Path(os.devnull))


def _state_directory_setting() -> Setting:
    try:
        root = str(StateDirectory.from_environment().root)
    except HldctlError as error:
        return Setting("state_directory", None, SettingSource.MISSING, str(error))
    variable = StateDirectory.variable_name()
    if variable is None:
        return Setting("state_directory", root, SettingSource.DEFAULT)
    return Setting("state_directory", root, SettingSource.ENVIRONMENT, variable)


def _claude_setting() -> Setting:
    try:
        path, location = binary.locate_binary()
    except HldctlError as error:
        return Setting("claude", None, SettingSource.MISSING, str(error))
    source = SettingSource.ENVIRONMENT if location in ("HLDCTL_CLAUDE", "PATH") else SettingSource.FOUND
    return Setting("claude", str(path), source, location)


# Settings that come from environment variables instead of the file, each with its variable.
_FROM_ENVIRONMENT = {
    "state_directory": ("HLDCTL_HOME", _state_directory_setting),
    "claude": ("HLDCTL_CLAUDE", _claude_setting),
}


def _settings_of_files(configuration: Configuration, layers: Layers, profile: str | None) -> Iterator[Setting]:
    for key in schema.KEYS:
        value = configuration.values.get(key)
        if key == TABLE:
            continue
        if layers.profile is not None and key in layers.profile.raw:
            yield Setting(key, layers.profile.raw[key], SettingSource.PROFILE, str(layers.profile.file), profile)
        elif layers.project is not None and key in layers.project.raw:
            yield Setting(key, layers.project.raw[key], SettingSource.PROJECT, str(layers.project.file))
        elif value is None:
            yield Setting(key, schema.default_value(key), SettingSource.DEFAULT)
        elif key in schema.TABLES and value:
            for name, member in _members(key, value):
                yield Setting(f"{key}.{name}", member, SettingSource.FILE, str(schema.path()))
        else:
            yield Setting(key, value, SettingSource.FILE, str(schema.path()))


def _settings_of_profiles(profiles: Mapping[str, Profile]) -> Iterator[Setting]:
    if not profiles:
        yield Setting(TABLE, {}, SettingSource.DEFAULT)
    for name, profile in profiles.items():
        for key, value in profile.values.items():
            yield Setting(f"{TABLE}.{name}.{key}", value, _source(profile), str(profile.file))


def _source(profile: Profile) -> SettingSource:
    return SettingSource.FILE if profile.file == schema.path() else SettingSource.PROJECT


def _members(table: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings in a table; those in the table of a group, too."""
    for name, value in values.items():
        if table == "groups" and isinstance(value, dict) and value:
            yield from ((f"{name}.{key}", member) for key, member in value.items())
        else:
            yield name, value


def member_path(table: str, name: str) -> tuple[str, ...]:
    """Return the names that lead to a setting within a table: `nightly.daily_usd` in `groups` is in two levels."""
    group, _, key = name.rpartition(".")
    return (group, key) if table == "groups" and group and key in GROUP_KEYS else (name,)


def split_key(key: str) -> tuple[str, str | None]:
    """Return the key and None, or a table and the name in it; raise BadUsage for a key that no file can set."""
    table, _, name = key.partition(".")
    if key in schema.KEYS:
        return key, None
    if table in schema.TABLES and name:
        return table, name
    if key in _FROM_ENVIRONMENT:
        raise BadUsage(f"{key} is set by the environment variable {_FROM_ENVIRONMENT[key][0]}, not in a file.")
    names = {
        "budgets": ", ".join(f"budgets.{name}" for name in BUDGET_KEYS),
        "fleet": ", ".join(f"fleet.{name}" for name in FLEET_KEYS),
        "groups": f"groups.NAME, {', '.join(f'groups.NAME.{name}' for name in GROUP_KEYS)}",
        "limits": "limits.spread",
        TABLE: f"{TABLE}.NAME.KEY",
        "prune": "prune.older_than, prune.keep",
        "worktree": "worktree.directory, worktree.copy, worktree.setup",
    }
    known = [names.get(known_key, known_key) for known_key in schema.KEYS]
    raise BadUsage(f"Unknown setting {key!r}; the settings are {', '.join(known)}.")
