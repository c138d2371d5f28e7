"""Defaults for options, from `$XDG_CONFIG_HOME/hldctl/config.toml`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hldctl.errors import BadUsage
from hldctl.settings.claude import ClaudeOptions
from hldctl.settings.option import options
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy


@dataclass(frozen=True)
class Key:
    """A key of the file."""

    help: str
    expected: str
    """Completes "must be …"."""
    is_valid: Callable[[Any], bool]
    example: str
    """In TOML; a table's without its heading."""


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_prune(value: Any) -> bool:
    if type(value) is not dict or not value or value.keys() - {"older_than", "keep"}:
        return False
    keep = value.get("keep", 0)
    return type(value.get("older_than", "")) is str and type(keep) is int and keep >= 0


OPTIONS = {
    option.name: (part, option)
    for part in (ClaudeOptions, Permissions, RunPolicy)
    for _, option in options(part)
    if option.config is not None
}
"""Options of `launch` that the file can set, each with the part of the settings that it belongs to."""

KEYS = {
    **{
        name: Key(option.config or "", option.expected, option.kind.is_valid, option.example)
        for name, (_, option) in OPTIONS.items()
    },
    "max_running": Key(
        "How many sessions may run at once; others are queued, first in, first out. Without it, there is no limit.",
        "a whole number, 1 or more",
        _is_count,
        "4",
    ),
    "groups": Key(
        "For each group that --group may name, how many of its sessions may run at once.",
        "a table with a whole number, 1 or more, for each group",
        lambda value: type(value) is dict and all(map(_is_count, value.values())),
        "nightly = 1\nreviews = 2",
    ),
    "prune": Key(
        "What is deleted once a day, when a session is launched, as `hldctl prune` would: `older_than` is its "
        "--older-than, `keep` its --keep. Without it, nothing is deleted.",
        'a table with older_than, a text such as "30d", or keep, a whole number, or both',
        _is_prune,
        'older_than = "30d"\nkeep = 100',
    ),
}
TABLES = ("groups", "prune")


@dataclass(frozen=True)
class Configuration:
    """What the file says."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """By key, as TOML has them."""

    @property
    def max_running(self) -> int | None:
        return self.values.get("max_running")

    @property
    def groups(self) -> dict[str, int]:
        """How many sessions of each group may run at once."""
        return dict(self.values.get("groups", {}))

    @property
    def prune(self) -> dict[str, Any] | None:
        """`older_than`, a duration, and `keep`, a number; either alone, or both."""
        return self.values.get("prune")


def default(key: str) -> Any:
    """Return what a session has if nothing sets the key; None if there is no such value."""
    part, option = OPTIONS.get(key, (None, None))
    if part is not RunPolicy or option is None:
        return {} if key == "groups" else None
    return next(getattr(RunPolicy(), each.name) for each, other in options(RunPolicy) if other is option)


def path(environment: Mapping[str, str] = os.environ) -> Path:
    chosen = Path(environment.get("XDG_CONFIG_HOME", ""))
    # The XDG specification: a relative path is to be ignored.
    directory = chosen if chosen.is_absolute() else Path(os.path.expanduser("~/.config"))
    return directory / "hldctl" / "config.toml"


def load(environment: Mapping[str, str] = os.environ) -> Configuration:
    """Return the configuration, empty without a file; raises BadUsage for one that cannot be understood."""
    file = path(environment)
    text = read(file)
    return Configuration() if text is None else understood(file, text)


def read(file: Path) -> str | None:
    """The file's text to the letter, None where there is no file; raises BadUsage for one that cannot be read."""
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadUsage(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def understood(file: Path, text: str) -> Configuration:
    """What the file's text says; raises BadUsage for what cannot be understood."""
    return Configuration(_checked(file, parsed(file, text)))


def parsed(file: Path, text: str) -> dict[str, Any]:
    """Any TOML; raises BadUsage for what is none."""
    # Only here: most have no such file.
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{file} is no valid TOML: {error}.") from None


def is_understood(key: str, value: Any) -> bool:
    return KEYS[key].is_valid(value)


def _checked(file: Path, values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if name not in KEYS:
            raise BadUsage(f"{file} sets {name!r}, which hldctl does not know; it knows {', '.join(KEYS)}.")
        if not is_understood(name, value):
            raise BadUsage(f"{file}: {name} must be {KEYS[name].expected}, not {value!r}.")
    return values
