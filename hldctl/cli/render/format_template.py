"""The template of `--format`: Python's format strings, without attribute access and unlimited widths."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hldctl.cli.output import one_line
from hldctl.errors import BadUsage

# Characters of a width, and digits of a precision.
_MAX_WIDTH = 1000
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
            value = _member(value, key)
        return self.literal + _format(value, self.conversion, self.spec)


class Template:
    """A parsed template."""

    def __init__(self, text: str, samples: Mapping[str, Any]) -> None:
        """Parse the template. Raise BadUsage if it is invalid, before anything is printed.

        `samples` has a value of the right type for each field, to check that the format fits.
        """
        self._text = text
        if text in ("json", "table", "csv", "tsv"):
            raise self._invalid(f"{text} is not a template; for JSON there is --json")
        if "{{." in text.replace(" ", ""):
            raise self._invalid("fields are written with single braces and without dots, such as {id}")
        if not {"{", "}"} & set(text):
            raise self._invalid("it has no field; write one in braces, such as {id}")
        text = text.replace("\\t", "\t").replace("\\n", "\n")
        try:
            self._pieces = [self._piece(samples, *parsed) for parsed in string.Formatter().parse(text)]
        except (ValueError, TypeError) as error:
            raise self._invalid(str(error).rstrip(".")) from None

    def line(self, values: Mapping[str, Any]) -> str:
        return "".join(piece.text(values) for piece in self._pieces)

    def _piece(
        self, samples: Mapping[str, Any], literal: str, field: str | None, spec: str | None, conversion: str | None
    ) -> _Piece:
        if field is None:
            return _Piece(literal, None, (), None, "")
        match = _FIELD.fullmatch(field)
        name = match["name"] if match else field
        if match is None or name not in samples:
            raise BadUsage(f"--format: unknown field {name!r}; the fields are {', '.join(samples)}.")
        keys = tuple(re.findall(r"\[([^\]]+)\]", match["keys"]))
        if keys and not isinstance(samples[name], list):
            raise self._invalid(f"{name} has no elements")
        if conversion not in (None, "r", "s", "a"):
            raise self._invalid(f"unknown conversion {conversion!r}")
        self._check_spec(spec or "")
        if not keys:
            _format(samples[name], conversion, spec or "")
        return _Piece(literal, name, keys, conversion, spec or "")

    def _check_spec(self, spec: str) -> None:
        match = _SPEC.fullmatch(spec)
        if match is None:
            raise self._invalid(f"{spec!r} is not a valid format")
        # Numbers with many digits are rejected before int() parses them.
        if any(
            len(number or "") > 4 or int(number or 0) > _MAX_WIDTH for number in (match["width"], match["precision"])
        ):
            raise self._invalid(f"{spec!r} is wider than {_MAX_WIDTH} characters")

    def _invalid(self, reason: str) -> BadUsage:
        return BadUsage(f"--format {self._text!r} is not a valid template: {reason}.")


def _member(value: Any, key: str) -> Any:
    """Return an element of a list or a member of an object; None if there is none."""
    try:
        return value[int(key) if isinstance(value, list) else key]
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _format(value: Any, conversion: str | None, spec: str) -> str:
    if value is None:
        # Blank, also with the format of a number.
        match = _SPEC.fullmatch(spec)
        assert match is not None
        return format("", f"{match['align'].replace('=', '>')}{match['width']}")
    if not isinstance(value, str | int | float):
        value = str(value)
    if isinstance(value, str):
        value = one_line(value)
    if conversion is not None:
        value = repr(value) if conversion == "r" else ascii(value) if conversion == "a" else str(value)
    return format(value, spec)
