"""Declaration of session settings, each once, as a field of a dataclass.

The command line, its help and man page, the configuration file, inheritance by a continuation, the launch request, the
database and the JSON of a session follow from the declaration. A setting that needs nothing else is one field, in
`claude.py`, `permissions.py` or `run_policy.py` beside this module, and one column in `store/migrations.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, field, fields
from enum import Enum, StrEnum, auto
from typing import Any, NamedTuple

from hldctl.settings.values import (
    approval_timeout,
    dollars,
    integer,
    limit_ms,
    milliseconds,
    question_timeout,
    session_refs,
    tool_names,
)


class Kind(NamedTuple):
    """The type and syntax of an option's values.

    `is_valid` says whether a value of TOML has the right type; `expected` completes "must be …" and may hold
    `{example}`. `parse` turns text, on the command line or in TOML, into the value; without it the text is the value.
    """

    expected: str
    is_valid: Callable[[Any], bool]
    parse: Callable[[str], Any] | None = None
    metavar: str | None = None
    is_flag: bool = False
    is_list: bool = False
    """True if the option can be repeated; the value is a tuple."""


def _is_text(value: Any) -> bool:
    # Other programs get it as an argument, which cannot hold a NUL byte.
    return type(value) is str and "\0" not in value


def _is_word(value: Any) -> bool:
    return _is_text(value) and bool(value.strip())


TEXT = Kind("a text such as {example}", _is_word, metavar="TEXT")
COMMAND = Kind("a command, as a text", _is_text, metavar="COMMAND")
FLAG = Kind("true or false", lambda value: type(value) is bool, is_flag=True)
DURATION = Kind("a text such as {example}", _is_text, milliseconds, "DURATION")
"""The value is in milliseconds."""
LIMIT = Kind("a text such as {example}", _is_text, limit_ms, "DURATION")
"""A duration longer than zero; the value is in milliseconds."""
DOLLARS = Kind(
    "an amount of dollars, such as {example}",
    lambda value: type(value) in (int, float) and 0 <= value < math.inf,
    dollars,
    "USD",
)
APPROVAL_TIMEOUT = Kind("a text such as {example}", _is_text, approval_timeout, "DURATION=deny|allow")
QUESTION_TIMEOUT = Kind("a text such as {example}", _is_text, question_timeout, "DURATION=first|deny")
TEXTS = Kind(
    "a list of texts such as {example}",
    lambda value: type(value) is list and all(map(_is_word, value)),
    metavar="TEXT",
    is_list=True,
)
TOOLS = Kind(TEXTS.expected, TEXTS.is_valid, tool_names, "TOOL", is_list=True)
"""Each text may name several tools."""
SESSIONS = Kind(TEXTS.expected, TEXTS.is_valid, session_refs, "ID", is_list=True)
"""Each text may name several sessions."""


def number(minimum: int, maximum: int) -> Kind:
    """Return the kind of the integers within these bounds."""
    return Kind(
        f"a whole number, {minimum} to {maximum}",
        lambda value: type(value) is int and minimum <= value <= maximum,
        integer(minimum, maximum),
        "N",
    )


class ProjectRule(NamedTuple):
    """What a project that the user does not trust may set an option to."""

    description: str
    """For the table of the keys."""
    allows: Callable[[Any, Any], bool]
    """Called with the project's value and the user's own, which is None if there is none."""


ANY_VALUE = ProjectRule("yes", lambda value, own: True)
NO_HIGHER = ProjectRule("no higher than yours", lambda value, own: own is None or bool(value <= own))


class Section(StrEnum):
    """The sections of the options in the help, in this order."""

    TASK = "Task"
    CLAUDE = "Claude Code"
    LIMITS = "Limits"
    PERMISSIONS = "Permissions"
    UNATTENDED = "Unattended runs"
    OUTPUT = "Output"


class Option(NamedTuple):
    """An option of `launch` and `continue`, and the key of the same name in the configuration file."""

    name: str
    """As in the configuration file; the command line has `--` and dashes."""
    kind: Kind
    help: str
    flags: tuple[str, ...] = ()
    """The flags on the command line; empty if they follow from the name."""
    metavar: str | None = None
    config: str | None = None
    """What the key means in the configuration file; None if the file cannot set it."""
    example: str = ""
    """In TOML."""
    suggestions: tuple[str, ...] = ()
    """For shell completion."""
    section: Section = Section.TASK
    """Where the help lists it."""
    is_inherited: bool = True
    """True if a continuation inherits its parent's value."""
    project: ProjectRule | None = None
    """What a project that the user does not trust may set.

    None for an option that can run a command, widen permissions, or replace the user's instructions.
    """
    claude_flags: tuple[str, ...] = ()
    """Claude Code's own options for it, if a second one would replace or change the first; empty for others."""
    resolve: Callable[[Any, int], dict[str, Any]] | None = None
    """Returns the fields that a value sets; called with the value and the time in milliseconds since 1970.

    None if the value is that of the field itself.
    """

    @property
    def parameter(self) -> str:
        """The name in Python."""
        return self.name.replace("-", "_")

    @property
    def all_flags(self) -> tuple[str, ...]:
        """The flags on the command line."""
        dashed = self.name.replace("_", "-")
        return self.flags or ((f"--{dashed}/--no-{dashed}",) if self.kind.is_flag else (f"--{dashed}",))

    @property
    def expected(self) -> str:
        """The description of a valid value in the configuration file."""
        return self.kind.expected.format(example=self.example)

    def from_toml(self, value: Any) -> Any:
        """Return the value of the setting; raise BadUsage for a text that cannot be parsed."""
        if self.kind.is_list:
            return self.from_texts(value)
        return self.kind.parse(value) if self.kind.parse is not None and isinstance(value, str) else value

    def from_texts(self, texts: list[str]) -> tuple[str, ...]:
        """Return the values of a repeatable option; empty texts have none."""
        parse = self.kind.parse
        return tuple(texts) if parse is None else tuple(part for text in texts for part in parse(text))


class Exposure(Enum):
    """Whether a column is in the JSON of a session, and where: scripts may rely on the order of the first ones."""

    HIDDEN = auto()
    FIRST = auto()
    LAST = auto()


HIDDEN, FIRST, LAST = Exposure


def setting(
    default: Any,
    option: Option | None = None,
    *,
    exposure: Exposure = LAST,
    trusted: bool = False,
    shown_as: str | None = None,
) -> Any:
    """Declare a field that is a column of the table of sessions too, and with `option` can be chosen for a session.

    A `trusted` field allows or runs something: the session's own files take precedence over a damaged database.
    `shown_as` is its type in JSON, if that is not the field's own: an enum, `Timestamp`, or a type of
    `contract.session_values`, as a text, because few commands need these types. A null stays one.
    """
    # A factory, because a default on the class would hide that a column was not read.
    metadata = {"column": True, "option": option, "exposure": exposure, "trusted": trusted, "shown_as": shown_as}
    return field(default_factory=lambda: default, metadata=metadata)


def column(
    *, exposure: Exposure = HIDDEN, trusted: bool = False, outcome: bool = False, shown_as: str | None = None
) -> Any:
    """Declare a field without a default that is a column of the table of sessions.

    An `outcome` is set once, when a session ends, and from then on is in the session's own files. `trusted` and
    `shown_as` are as for `setting`.
    """
    return field(
        metadata={
            "column": True,
            "exposure": exposure,
            "trusted": trusted,
            "outcome": outcome,
            "shown_as": shown_as,
        }
    )


def unstored_setting(default: Any, option: Option) -> Any:
    """Declare a field that can be chosen for a session but is not stored in the database."""
    return field(default_factory=lambda: default, metadata={"option": option}, repr=False)


def options(part: type) -> Iterator[tuple[Field[Any], Option]]:
    """Yield the fields of a dataclass that can be chosen, each with its option."""
    for each in fields(part):
        if (option := each.metadata.get("option")) is not None:
            yield each, option


def chosen_values(part: type, given: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return the fields of `part` that the given options, by name, set. `now` is in milliseconds since 1970."""
    values: dict[str, Any] = {}
    for each, option in options(part):
        if (value := given.get(option.name)) is not None:
            values |= {each.name: value} if option.resolve is None else option.resolve(value, now)
    return values


def inherited_values(part: type, parent: Any) -> dict[str, Any]:
    """Return the columns of `part` that a continuation inherits from its parent's row."""
    return {
        each.name: getattr(parent, each.name)
        for each in fields(part)
        if each.metadata.get("column") and ((option := each.metadata.get("option")) is None or option.is_inherited)
    }


def column_values(part: Any) -> dict[str, Any]:
    """Return the columns of `part`, by name."""
    return {each.name: getattr(part, each.name) for each in fields(part) if each.metadata.get("column")}
