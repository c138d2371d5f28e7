"""Changes of the user's configuration file, which keep all else in it as it was written."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hldctl.config import load, schema
from hldctl.config.report import parts
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.settings.values import tool_names
from hldctl.system.atomic_write import rewrite


def assign(key: str, text: str) -> None:
    """Says it in the file; raises BadUsage for what would not be understood there."""
    table, name = parts(key)
    value = _meant(table, name, text)

    def change(values: dict[str, Any]) -> None:
        if name is None:
            values[table] = value
        else:
            _put(values.setdefault(table, {}), name, value)

    _change(change)


def remove(key: str) -> bool:
    """Takes it out of the file; False if it is not there."""
    table, name = parts(key)
    file = schema.path()
    said = schema.parsed(file, schema.read(file) or "")
    if table not in said or (name is not None and name not in _table(said[table])):
        return False
    is_whole = name is None or not schema.is_understood(table, _without(name, said[table]))

    def change(values: dict[str, Any]) -> None:
        if is_whole:
            del values[table]
        else:
            del values[table][name]

    _change(change)
    return True


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadUsage(f"{schema.path()} has {value!r} where a table should be; mend it: `hldctl config edit`.")
    return value


def _without(name: str, table: dict[str, Any]) -> dict[str, Any]:
    return {other: value for other, value in table.items() if other != name}


def _meant(key: str, name: str | None, text: str) -> Any:
    """The first reading that is understood: the text itself, a value of TOML, names of tools. Otherwise the text."""
    for value in (text, _toml(text), tool_names(text)):
        if schema.is_understood(key, value if name is None else {name: value}):
            return value
    return text


def _toml(text: str) -> Any:
    import tomllib

    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    return values["value"] if len(values) == 1 else None


def _put(into: Any, name: str, value: Any) -> None:
    from tomlkit.items import Comment, Table, Whitespace

    if not isinstance(into, Table):
        _table(into)[name] = value
        return
    # What stands below a table's last line is about the next table.
    body = into.value.body
    remarks: list[Comment | Whitespace] = []
    while body and isinstance(remark := body[-1][1], Comment | Whitespace):
        body.pop()
        remarks.insert(0, remark)
    into[name] = value
    for remark in remarks:
        into.add(remark)


def _change(change: Callable[[Any], None]) -> None:
    """Makes the change in the file's text, of which all else stays as it is, comments too."""
    file = schema.path()
    try:
        rewrite(file, lambda: _changed(schema.read(file) or "", change).encode())
    except OSError as error:
        raise UnfitEnvironment(f"{file} cannot be written: {error.strerror or error}.") from None


def _changed(text: str, change: Callable[[Any], None]) -> str:
    # Only here: it is slow to import, and nothing else writes TOML.
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = schema.path()
    wanted = copy.deepcopy(schema.parsed(file, text))
    change(wanted)
    try:
        document = tomlkit.parse(text)
        change(document)
        changed = tomlkit.dumps(document)
        is_meant = schema.parsed(file, changed) == wanted
    except (TOMLKitError, BadUsage):
        is_meant = False
    if not is_meant:
        raise BadUsage(f"{file} is written in a way that cannot be changed for you; do it with `hldctl config edit`.")
    load.validate(schema.understood(file, changed))
    return changed
