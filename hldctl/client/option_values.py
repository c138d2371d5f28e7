"""The options of a session as Python programs write them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hldctl.errors import BadUsage
from hldctl.sessions.options import OPTIONS, SessionOptions, session_options
from hldctl.settings.option import Option

_JSON = "FILE|JSON"
_VARIABLES = "env"
_CHOSEN_BY_HLDCTL = ""


def parse_options(given: Mapping[str, Any], claude_arguments: tuple[str, ...]) -> SessionOptions:
    """Return the options; raise TypeError for an unknown name, and BadUsage for a value that does not fit."""
    if unknown := [name for name in given if name not in OPTIONS]:
        raise TypeError(f"{unknown[0]!r} is not an option of a session")
    values = {name: _parse(OPTIONS[name], value) for name, value in given.items() if value is not None}
    return session_options(values, claude_arguments or None)


def _parse(option: Option, value: Any) -> Any:
    plain = _plain_value(option, value)
    if not option.kind.is_valid(plain):
        # Never the value: it may be a secret.
        raise BadUsage(f"{option.name} must be {_expected(option)}.")
    try:
        return option.from_toml(plain)
    except BadUsage as error:
        raise BadUsage(f"{option.name}: {error}") from None


def _plain_value(option: Option, value: Any) -> Any:
    """Return a value as the configuration file would have it."""
    if option.name == "worktree" and value is True:
        return _CHOSEN_BY_HLDCTL
    if option.name == _VARIABLES and isinstance(value, Mapping):
        return [f"{name}={text}" for name, text in value.items()]
    if option.metavar == _JSON and isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, timedelta):
        return f"{math.ceil(value.total_seconds())}s"
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if option.kind.is_list:
        return [value] if isinstance(value, str) else [os.fspath(each) for each in value]
    return value


def _expected(option: Option) -> str:
    return option.expected if option.example else option.kind.expected.partition(" such as")[0].rstrip(",")
