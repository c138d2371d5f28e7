"""The template of `--format`: Python's format strings, without what reaches into values or asks for endless output."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hldctl.cli.output import one_line
from hldctl.errors import BadUsage

_WIDEST = 1000
"""Characters, and digits."""
_SPEC = re.compile(
    r"(?P<align>(?:.?[<>=^])?)[-+ ]?z?#?0?(?P<width>\d*)[,_]?(?:\.(?P<precision>\d+))?[bdeEfFgGnosxX%]?", re.DOTALL
)
_FIELD = re.compile(r"(?P<name>\w+)(?P<keys>(?:\[[^\[\]]+\])*)")


@dataclass(frozen=True)
class _Piece:
    literal: str
    name: str | None
    keys: tuple[str, ...]
    conversion: str | None
    spec: str

    def text(self, values: Mapping[str, Any]) -> str:
        if self.name is None:
            return self.literal
        value = values[self.name]
        for key in self.keys:
            value = _part(value, key)
        return self.literal + _formatted(value, self.conversion, self.spec)


class Template:
    def __init__(self, text: str, samples: Mapping[str, Any]) -> None:
        """Raises BadUsage for what is no template, before anything is printed.

        `samples` has a value of its kind for each field: what a format makes of it decides whether the format fits.
        """
        self._text = text
        try:
            self._pieces = [self._piece(samples, *parsed) for parsed in string.Formatter().parse(text)]
        except (ValueError, TypeError) as error:
            raise self._is_none(str(error).rstrip(".")) from None

    def line(self, values: Mapping[str, Any]) -> str:
        return "".join(piece.text(values) for piece in self._pieces)

    def _piece(
        self, samples: Mapping[str, Any], literal: str, field: str | None, spec: str | None, conversion: str | None
    ) -> _Piece:
        if field is None:
            return _Piece(literal, None, (), None, "")
        found = _FIELD.fullmatch(field)
        name = found["name"] if found else field
        if found is None or name not in samples:
            raise BadUsage(f"--format knows no field {name!r}; the fields are {', '.join(samples)}.")
        keys = tuple(re.findall(r"\[([^\]]+)\]", found["keys"]))
        if keys and not isinstance(samples[name], list):
            raise self._is_none(f"{name} has no parts")
        if conversion not in (None, "r", "s", "a"):
            raise self._is_none(f"there is no conversion {conversion!r}")
        self._check(spec or "")
        if not keys:
            _formatted(samples[name], conversion, spec or "")
        return _Piece(literal, name, keys, conversion, spec or "")

    def _check(self, spec: str) -> None:
        found = _SPEC.fullmatch(spec)
        if found is None:
            raise self._is_none(f"{spec!r} is no format of a field")
        # A number of many digits is not even read.
        if any(len(number or "") > 4 or int(number or 0) > _WIDEST for number in (found["width"], found["precision"])):
            raise self._is_none(f"{spec!r} is wider than {_WIDEST} characters")

    def _is_none(self, reason: str) -> BadUsage:
        return BadUsage(f"--format {self._text!r} is no template: {reason}.")


def _part(value: Any, key: str) -> Any:
    """Return a part of a list or object; None where there is none."""
    try:
        return value[int(key) if isinstance(value, list) else key]
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _formatted(value: Any, conversion: str | None, spec: str) -> str:
    if value is None:
        # Blank, also where a number was to be formatted.
        found = _SPEC.fullmatch(spec)
        assert found is not None
        return format("", f"{found['align'].replace('=', '>')}{found['width']}")
    if not isinstance(value, str | int | float):
        value = str(value)
    if isinstance(value, str):
        value = one_line(value)
    if conversion is not None:
        value = repr(value) if conversion == "r" else ascii(value) if conversion == "a" else str(value)
    return format(value, spec)
