"""Defaults for options, from `$XDG_CONFIG_HOME/hldctl/config.toml`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hldctl.errors import BadUsage


@dataclass(frozen=True)
class Configuration:
    """None where nothing is said."""

    approvals: bool | None = None
    approval_timeout: str | None = None
    on_approval: str | None = None
    on_end: str | None = None
    max_running: int | None = None
    groups: dict[str, int] = field(default_factory=dict)
    """How many sessions of each group may run at once."""
    prune: dict[str, Any] | None = None
    """`older_than`, a duration, and `keep`, a number; either alone, or both."""


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_prune(value: Any) -> bool:
    if type(value) is not dict or not value or value.keys() - {"older_than", "keep"}:
        return False
    keep = value.get("keep", 0)
    return type(value.get("older_than", "")) is str and type(keep) is int and keep >= 0


_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "approvals": (lambda value: type(value) is bool, "true or false"),
    "approval_timeout": (lambda value: type(value) is str, 'a text such as "30m=deny"'),
    "on_approval": (lambda value: type(value) is str, "a command, as a text"),
    "on_end": (lambda value: type(value) is str, "a command, as a text"),
    "max_running": (_is_count, "a whole number, 1 or more"),
    "groups": (
        lambda value: type(value) is dict and all(map(_is_count, value.values())),
        "a table with a whole number, 1 or more, for each group",
    ),
    "prune": (_is_prune, 'a table with older_than, a text such as "30d", or keep, a whole number, or both'),
}


def path(environment: Mapping[str, str] = os.environ) -> Path:
    chosen = Path(environment.get("XDG_CONFIG_HOME", ""))
    # The XDG specification: a relative path is to be ignored.
    directory = chosen if chosen.is_absolute() else Path(os.path.expanduser("~/.config"))
    return directory / "hldctl" / "config.toml"


def load(environment: Mapping[str, str] = os.environ) -> Configuration:
    """All None without a file; raises BadUsage for one that cannot be understood."""
    file = path(environment)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Configuration()
    except (OSError, ValueError) as error:
        raise BadUsage(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return Configuration(**_checked(file, _parsed(file, text)))


def _parsed(file: Path, text: str) -> dict[str, Any]:
    # Only here: most have no such file.
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{file} is no valid TOML: {error}.") from None


def _checked(file: Path, values: dict[str, Any]) -> dict[str, Any]:
    known = [field.name for field in fields(Configuration)]
    for name, value in values.items():
        if name not in known:
            raise BadUsage(f"{file} sets {name!r}, which hldctl does not know; it knows {', '.join(known)}.")
        is_such, words = _EXPECTED[name]
        if not is_such(value):
            raise BadUsage(f"{file}: {name} must be {words}, not {value!r}.")
    return values
