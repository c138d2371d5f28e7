"""Generator of the JSON Schemas, and of the page that describes the JSON, from the declarations of the objects."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import EnumMeta, StrEnum
from operator import attrgetter
from typing import Annotated, Any, NamedTuple, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import hldctl.contract.session_values
from hldctl import states
from hldctl.contract import (
    approval,
    comparison,
    event,
    feed,
    finding,
    machine,
    match,
    message,
    session,
    session_values,
    setting,
    statistics,
)
from hldctl.contract.timestamp import Timestamp
from hldctl.store.search.matches import Match
from hldctl.store.session import EXPOSED_COLUMNS, Session

FOLDER = "hldctl/contract/schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Field(NamedTuple):
    """A field of an object."""

    type: Any
    """The type as `typing.get_type_hints` returns it."""
    text: str
    """Meaning, unit, and when it is null."""


class Form(StrEnum):
    """How a command prints its objects."""

    ONE = "one"
    ARRAY = "an array"
    LINES = "a line each"


class Output(NamedTuple):
    """What a command prints as JSON."""

    command: str
    """The words of the command."""
    schema: str
    form: Form = Form.ONE
    options: tuple[str, ...] = ()
    """The options that choose it, besides --json."""


OUTPUTS = (
    Output("launch", "session", Form.ONE, ("--follow", "--wait")),
    Output("launch", "event", Form.LINES, ("--follow",)),
    Output("launch", "session"),
    Output("continue", "session", Form.ONE, ("--follow", "--wait")),
    Output("continue", "event", Form.LINES, ("--follow",)),
    Output("continue", "session"),
    Output("import", "session"),
    Output("set", "session"),
    Output("wait", "session", Form.ARRAY),
    Output("ls", "listed-session", Form.ARRAY),
    Output("show", "event", Form.ARRAY, ("--events",)),
    Output("show", "snapshot", Form.ARRAY, ("--snapshots",)),
    Output("show", "shown-session"),
    Output("export", "exported-session", Form.ONE, ("--format", "json")),
    Output("tail", "event", Form.LINES),
    Output("events", "feed-event", Form.LINES),
    Output("approvals", "approval", Form.LINES, ("-f",)),
    Output("approvals", "approval", Form.ARRAY),
    Output("answer", "approval"),
    Output("send", "session", Form.ONE, ("--or-continue",)),
    Output("send", "message"),
    Output("search", "match", Form.ARRAY),
    Output("diff", "comparison"),
    Output("stats", "budget", Form.ARRAY, ("--budgets",)),
    Output("stats", "statistics", Form.ARRAY),
    Output("config", "setting", Form.ARRAY),
    Output("doctor", "finding", Form.ARRAY),
    Output("fleet prune", "removal"),
    Output("fleet", "machine", Form.ARRAY),
)
"""Of a command, the first whose options are given."""


@dataclass(frozen=True)
class Definition:
    """The schema of what some commands print."""

    summary: str
    parts: tuple[type, ...]
    """The objects whose fields it has."""
    is_session: bool = False
    """True if it has the fields of a session, which come first."""
    also: str = ""
    """Where else it is used, for the page."""


def _session(summary: str, *parts: type, also: str = "") -> Definition:
    return Definition(summary, (session_values.ComputedFields, *parts), is_session=True, also=also)


DEFINITIONS = {
    "session": _session("A session.", also="the input of `--on-end`"),
    "listed-session": _session("A session with what it is doing.", session.ListedFields),
    "shown-session": _session("A session with everything that `show` knows about it.", session.ShownFields),
    "exported-session": _session("A session with its conversation.", session.ExportedFields),
    "event": Definition("An event of a conversation.", (event.EventObject,)),
    "snapshot": Definition("A file as a session read it.", (event.SnapshotObject,)),
    "feed-event": Definition("A change of any session.", (feed.FeedEventObject,)),
    "approval": Definition(
        "A permission request, a question or a plan.", (approval.ApprovalObject,), also="the input of `--on-approval`"
    ),
    "match": Definition("An event that a search has found.", (Match, match.FoundFields)),
    "message": Definition("A message to a session.", (message.MessageObject,)),
    "comparison": Definition("What a session changed.", (comparison.ComparisonObject,)),
    "statistics": Definition("Totals of sessions.", (statistics.StatisticsObject,)),
    "budget": Definition("A budget.", (statistics.BudgetObject,)),
    "setting": Definition("A setting.", (setting.SettingObject,)),
    "finding": Definition("A finding of `doctor`.", (finding.FindingObject,)),
    "machine": Definition("A machine of the fleet.", (machine.MachineObject,)),
    "removal": Definition("What was removed from the record of a fleet.", (machine.RemovalObject,)),
}
"""The schemas by name."""


def render_schemas() -> dict[str, str]:
    """Return the content of each schema's file by its path below the root."""
    return {f"{FOLDER}/{name}.json": json.dumps(schema(name), indent=2) + "\n" for name in DEFINITIONS}


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema with this name."""
    definition = DEFINITIONS[name]
    nested = _Nested()
    found = _object(_fields(definition), nested)
    if name == "feed-event":
        found["allOf"] = [_data_rule(type_, data, nested) for type_, data in feed.DATA.items() if data is not None]
    head = {"$schema": _DIALECT, "$id": f"urn:hldctl:{name}", "title": name, "description": definition.summary}
    return {**head, **found, "$defs": dict(sorted(nested.schemas.items()))}


def render_page() -> str:
    """Return the page that describes all objects."""
    parts = [_INTRODUCTION]
    nested = _Nested()
    for name, definition in DEFINITIONS.items():
        rows = list(_fields(definition).items())
        parts += [f"## {name}\n", f"{definition.summary} {_printed_by(name)}\n"]
        if definition.is_session and name != "session":
            own = {each for part in definition.parts[1:] for each in field_texts(part)}
            parts.append("The fields of [session](#session), and:\n")
            rows = [(each, field) for each, field in rows if each in own]
        parts.append(_table(rows, nested))
        if name == "feed-event":
            parts.append(
                "Of `session_settings_changed`, `data` has the changed settings by name; of the other types:\n"
            )
            parts += [_data_part(type_, data, nested) for type_, data in feed.DATA.items() if data is not None]
    parts.append("## Objects within these\n")
    # These have sections of their own.
    described = {_name(definition.parts[0]) for definition in DEFINITIONS.values() if not definition.is_session}
    while names := sorted(nested.types.keys() - described):
        for name in names:
            declared = nested.types[name]
            parts += [f"### {name}\n", f"{_summary(declared)}\n", _table(list(type_fields(declared).items()), nested)]
            described.add(name)
    return "\n".join(parts).rstrip() + "\n"


def _printed_by(name: str) -> str:
    commands = [
        f"`{' '.join((output.command, *output.options))}`" + ("" if output.form is Form.ONE else f" ({output.form})")
        for output in OUTPUTS
        if output.schema == name
    ]
    also = DEFINITIONS[name].also
    return f"Printed by {', '.join(commands)}{f'; also {also}' if also else ''}."


_INTRODUCTION = """# JSON

`--json` prints the objects on this page, and `hldctl schema NAME` the JSON Schema of one (draft 2020-12). Both are
generated from the declarations that the commands write by, and a test holds the output of each command to its schema.

**What you can rely on.** Within a major version, a field keeps its name, its type, its unit and its meaning, and is
never removed; one that is never null stays so. Minor versions add fields, and values to the texts that name a state, a
type or a reason: ignore a field that you do not know, and treat an unknown value as "other". Until 1.0, a minor version
may break this, and CHANGELOG says so under "Breaking".

**Forms.** Times are UTC, `2026-01-31T12:00:00.000Z`. A field whose name ends in `_ms` is in milliseconds, in `_usd` in
US dollars. A field that is listed is always there unless its type says "optional". Commands that follow print one
object per line, others one value. `hldctl config get KEY --json` prints the value alone.
"""


class _Nested:
    """The objects that were met within others, by the name of their schema."""

    def __init__(self) -> None:
        self.types: dict[str, type] = {}
        self.schemas: dict[str, dict[str, Any]] = {}

    def name(self, declared: type) -> str:
        """Return the name of an object's schema, which is added on the first use."""
        name = _name(declared)
        if name not in self.types:
            self.types[name] = declared
            self.schemas[name] = {}
            self.schemas[name] = {"description": _summary(declared), **_object(type_fields(declared), self)}
        return name


def _name(declared: type) -> str:
    return declared.__name__.removesuffix("Object")


def _fields(definition: Definition) -> dict[str, Field]:
    own = {name: field for part in definition.parts for name, field in type_fields(part).items()}
    return {**session_fields(), **own} if definition.is_session else own


def session_fields() -> dict[str, Field]:
    """Return the fields of a session that are columns."""
    shown_as = {each.name: each.metadata["shown_as"] for each in fields(Session)}
    hints, texts = get_type_hints(Session, include_extras=True), field_texts(Session)
    return {name: Field(_shown_type(hints[name], shown_as[name]), texts[name]) for name in EXPOSED_COLUMNS}


def _shown_type(type_: Any, shown_as: str | None) -> Any:
    """Return the type that a column has in JSON."""
    if shown_as is None:
        return type_
    names = {**vars(states), **vars(hldctl.contract.session_values), "Timestamp": Timestamp}
    shown = eval(shown_as, names)  # noqa: S307  # a declaration of ours
    return Union[shown, None] if type(None) in get_args(type_) else shown  # noqa: UP007  # an alias has no `|`


def type_fields(declared: type) -> dict[str, Field]:
    """Return the fields of a TypedDict, or of a dataclass of which JSON has all fields."""
    hints, texts = get_type_hints(declared, include_extras=True), field_texts(declared)
    if is_dataclass(declared):
        hints |= {each.name: _shown_type(hints[each.name], each.metadata.get("shown_as")) for each in fields(declared)}
    return {name: Field(hints[name], texts[name]) for name in declared.__annotations__}


def field_texts(declared: type) -> dict[str, str]:
    """Return the text below each field of a class, bases included, with null for None."""
    module = sys.modules[declared.__module__]
    body = ast.parse(inspect.getsource(module)).body
    node = next(each for each in body if isinstance(each, ast.ClassDef) and each.name == declared.__name__)
    # From the source, too: a TypedDict has no bases at run time.
    bases = [getattr(module, base.id) for base in node.bases if isinstance(base, ast.Name)]
    inherited = [field_texts(base) for base in bases if base.__module__.startswith("hldctl.")]
    return {name: text for texts in [*inherited, dict(_own_texts(node))] for name, text in texts.items()}


def _own_texts(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = ""
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                text = inspect.cleandoc(str(following.value.value)).replace("\n", " ")
            yield field.target.id, text.replace("None", "null")


def _summary(declared: type) -> str:
    return inspect.cleandoc(declared.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def _object(members: Mapping[str, Field], nested: _Nested) -> dict[str, Any]:
    properties = {name: _property(field, nested) for name, field in members.items()}
    required = [name for name, field in members.items() if get_origin(field.type) is not NotRequired]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _property(field: Field, nested: _Nested) -> dict[str, Any]:
    type_ = get_args(field.type)[0] if get_origin(field.type) is NotRequired else field.type
    return {"description": field.text, **_type_schema(type_, nested)}


def _type_schema(type_: Any, nested: _Nested) -> dict[str, Any]:
    if type_ is Any:
        return {}
    if is_typeddict(type_):
        return {"$ref": f"#/$defs/{nested.name(type_)}"}
    if isinstance(type_, EnumMeta):
        return {"type": "string", "enum": _values(type_)}
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return {"type": "string", "format": arguments[1]}
    if origin in (Union, types.UnionType):
        return _nullable(_type_schema(next(each for each in arguments if each is not type(None)), nested))
    if origin in (list, tuple):
        return {"type": "array", "items": _type_schema(arguments[0], nested)}
    return {"type": _NAMES[origin or type_]}


def _values(enum: EnumMeta) -> list[str]:
    return [str(value) for value in map(attrgetter("value"), enum.__members__.values())]


_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object"}


def _nullable(found: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in found or not found:
        return {"anyOf": [found, {"type": "null"}]}
    values = {"enum": [*found["enum"], None]} if "enum" in found else {}
    return {**found, "type": [found["type"], "null"], **values}


def _data_rule(type_: states.FeedType, data: type, nested: _Nested) -> dict[str, Any]:
    """Return the part of the schema that says what `data` holds for a type."""
    return {
        "if": {"properties": {"type": {"const": str(type_)}}},
        "then": {"properties": {"data": {"$ref": f"#/$defs/{nested.name(data)}"}}},
    }


def _data_part(type_: states.FeedType, data: type, nested: _Nested) -> str:
    return f"### data of {type_}\n\n{_table(list(type_fields(data).items()), nested)}"


def _table(rows: list[tuple[str, Field]], nested: _Nested) -> str:
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {_type_text(field.type, nested)} | {_cell(field.text)} |" for name, field in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _type_text(type_: Any, nested: _Nested) -> str:
    if type_ is Any:
        return "any"
    if is_typeddict(type_):
        name = nested.name(type_)
        return f"[{name}](#{name.lower()})"
    if isinstance(type_, EnumMeta):
        return " or ".join(f"`{value}`" for value in _values(type_))
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is NotRequired:
        return f"{_type_text(arguments[0], nested)}, optional"
    if origin is Annotated:
        return "time"
    if origin in (Union, types.UnionType):
        return f"{_type_text(next(each for each in arguments if each is not type(None)), nested)} or null"
    if origin in (list, tuple):
        return f"array of {_type_text(arguments[0], nested)}"
    return _WORDS[origin or type_]


_WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", dict: "object"}
