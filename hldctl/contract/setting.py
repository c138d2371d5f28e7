"""The JSON object of a setting in `config`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypedDict


class SettingSource(StrEnum):
    """Where a setting comes from."""

    DEFAULT = "default"
    FILE = "file"
    PROJECT = "project"
    """The project's file."""
    PROFILE = "profile"
    """The profile that was asked for."""
    ENVIRONMENT = "environment"
    FOUND = "found"
    """In a standard location."""
    MISSING = "missing"


class SettingObject(TypedDict):
    """A setting, with where it comes from."""

    key: str
    """The key in the configuration file."""
    value: Any
    """The value; null if it is unset."""
    source: SettingSource
    """Where the value comes from."""
    location: str | None
    """The file, variable or directory that it comes from, or why it is missing; null for a default."""
    profile: str | None
    """The profile that it comes from; null if it comes from elsewhere."""
