"""Defaults for options, from `$XDG_CONFIG_HOME/hldctl/config.toml`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hldctl.errors import BadUsage


@dataclass(frozen=True)
class Configuration:
    """None where nothing is said."""

    model: str | None = None
    permission_mode: str | None = None
    allowed_tools: list[str] | None = None
    max_budget_usd: float | None = None
    timeout: str | None = None
    """A duration, as `idle_timeout`."""
    idle_timeout: str | None = None
    retries: int | None = None
    wait_for_reset: bool | None = None
    fail_on_denial: bool | None = None
    approvals: bool | None = None
    approval_timeout: str | None = None
    on_approval: str | None = None
    from_session: bool | None = None
    on_end: str | None = None
    max_running: int | None = None
    groups: dict[str, int] = field(default_factory=dict)
    """How many sessions of each group may run at once."""
    prune: dict[str, Any] | None = None
    """`older_than`, a duration, and `keep`, a number; either alone, or both."""


KEYS = tuple(field.name for field in fields(Configuration))

MOST_RETRIES = 1000
_TRUTH = "true or false"


def _is_truth(value: Any) -> bool:
    return type(value) is bool


def _is_text(value: Any) -> bool:
    # What goes to other programs as an argument can hold no zero.
    return type(value) is str and "\0" not in value


def _is_word(value: Any) -> bool:
    return _is_text(value) and bool(value.strip())


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_amount(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


def _is_prune(value: Any) -> bool:
    if type(value) is not dict or not value or value.keys() - {"older_than", "keep"}:
        return False
    keep = value.get("keep", 0)
    return type(value.get("older_than", "")) is str and type(keep) is int and keep >= 0


_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (_is_word, 'a text such as "opus"'),
    "permission_mode": (_is_word, 'a text such as "acceptEdits"'),
    "allowed_tools": (
        lambda value: type(value) is list and all(map(_is_word, value)),
        'a list of texts such as ["Read", "Bash(git log:*)"]',
    ),
    "max_budget_usd": (_is_amount, "an amount of dollars, such as 2.50"),
    "timeout": (_is_text, 'a text such as "2h"'),
    "idle_timeout": (_is_text, 'a text such as "10m"'),
    "retries": (
        lambda value: type(value) is int and 0 <= value <= MOST_RETRIES,
        f"a whole number, 0 to {MOST_RETRIES}",
    ),
    "wait_for_reset": (_is_truth, _TRUTH),
    "fail_on_denial": (_is_truth, _TRUTH),
    "approvals": (_is_truth, _TRUTH),
    "approval_timeout": (_is_text, 'a text such as "30m=deny"'),
    "on_approval": (_is_text, "a command, as a text"),
    "from_session": (_is_truth, _TRUTH),
    "on_end": (_is_text, "a command, as a text"),
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
    return Configuration(**_checked(file, parsed(file, text)))


def parsed(file: Path, text: str) -> dict[str, Any]:
    """Any TOML; raises BadUsage for what is none."""
    # Only here: most have no such file.
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{file} is no valid TOML: {error}.") from None


def is_understood(key: str, value: Any) -> bool:
    return _EXPECTED[key][0](value)


def _checked(file: Path, values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if name not in _EXPECTED:
            raise BadUsage(f"{file} sets {name!r}, which hldctl does not know; it knows {', '.join(KEYS)}.")
        is_such, words = _EXPECTED[name]
        if not is_such(value):
            raise BadUsage(f"{file}: {name} must be {words}, not {value!r}.")
    return values
