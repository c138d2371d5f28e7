"""Changes to the user's configuration file that leave the rest of its text unchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hldctl.config import load, schema
from hldctl.config.budgets import MAX_RUNNING
from hldctl.config.profiles import TABLE, unknown_key
from hldctl.config.report import member_path, split_key, split_profile_key
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.settings.values import tool_names
from hldctl.system.atomic_write import rewrite


def set_value(key: str, text: str) -> None:
    """Set the key in the file; raise BadUsage if the value would not be valid."""
    table, name = split_key(key)
    if table == TABLE and name is not None:
        _set_in_profile(name, text)
        return
    value = _parse_value(table, name, text)

    def change(values: dict[str, Any]) -> None:
        if name is None:
            values[table] = value
        else:
            _set_member(values.setdefault(table, {}), member_path(table, name), value)

    _apply(change)


def _set_in_profile(key: str, text: str) -> None:
    profile, option = split_profile_key(key)
    if option is None:
        mistyped = key.rpartition(".")[2]
        raise BadUsage(f"{TABLE}.{key} is not an option of a profile: {unknown_key(mistyped)}")
    value = _parse_value(option, None, text)

    def change(values: dict[str, Any]) -> None:
        _set_in_table(values.setdefault(TABLE, {}).setdefault(profile, {}), option, value)

    _apply(change)


def _remove_from_profiles(key: str) -> bool:
    name, option = split_profile_key(key)
    profiles = schema.load().profiles
    if name not in profiles or (option is not None and option not in profiles[name]):
        return False

    def change(values: dict[str, Any]) -> None:
        if option is None:
            del values[TABLE][name]
        else:
            del values[TABLE][name][option]

    _apply(change)
    return True


def remove_value(key: str) -> bool:
    """Remove the key from the file; return False if it is not in the file."""
    table, name = split_key(key)
    if table == TABLE and name is not None:
        return _remove_from_profiles(name)
    file = schema.path()
    values = schema.parse_toml(file, schema.read(file) or "")
    if table not in values:
        return False
    removed = () if name is None else _removed_path(_require_table(values[table]), member_path(table, name))
    if removed is None:
        return False
    if len(removed) == 1 and not schema.is_valid_value(table, _omit(removed[0], values[table])):
        removed = ()
    path = (table, *removed)

    def change(values: dict[str, Any]) -> None:
        for name in path[:-1]:
            values = values[name]
        del values[path[-1]]

    _apply(change)
    return True


def _removed_path(values: dict[str, Any], path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what to remove: a table that would be empty, as a whole; None if it is not there."""
    name, *rest = path
    if name not in values or not rest:
        return path if name in values else None
    inner = values[name]
    if not isinstance(inner, dict):
        # The number of a group's slots, without a table.
        return (name,) if rest == [MAX_RUNNING] else None
    if rest[0] not in inner:
        return None
    return path if len(inner) > 1 else (name,)


def _require_table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadUsage(f"{schema.path()} has {value!r} where a table should be; fix it with `hldctl config edit`.")
    return value


def _omit(name: str, table: dict[str, Any]) -> dict[str, Any]:
    return {other: value for other, value in table.items() if other != name}


def _parse_value(key: str, name: str | None, text: str) -> Any:
    """Return the first valid reading of the text: as is, as a TOML value, or as tool names; else the text."""
    path = () if name is None else member_path(key, name)
    for value in (text, _parse_toml(text), tool_names(text)):
        nested: Any = value
        for part in reversed(path):
            nested = {part: nested}
        if schema.is_valid_value(key, nested):
            return value
    number = _parse_toml(text)
    return number if type(number) in (int, float) else text


def _parse_toml(text: str) -> Any:
    import tomllib

    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    return values["value"] if len(values) == 1 else None


def _set_member(into: Any, path: tuple[str, ...], value: Any) -> None:
    """Set a value in a table, or in a table within it: a group may be a number of slots, or a table with more."""
    name, *rest = path
    current = _require_table(into).get(name)
    if not rest and not (isinstance(current, dict) and type(value) is int):
        _set_in_table(into, name, value)
    elif isinstance(current, dict):
        _set_in_table(current, rest[0] if rest else MAX_RUNNING, value)
    else:
        before = {} if current is None else {MAX_RUNNING: int(current)}
        _set_in_table(into, name, _inline({**before, rest[0]: value}, current))


def _inline(values: dict[str, Any], replaced: Any) -> dict[str, Any]:
    """Return the values as a table on one line: one with a heading would take the lines after it.

    It has the comment of the value that it replaces.
    """
    import tomlkit
    from tomlkit.items import Item

    table = tomlkit.inline_table()
    table.update(values)
    if isinstance(replaced, Item):
        table.trivia.comment_ws, table.trivia.comment = replaced.trivia.comment_ws, replaced.trivia.comment
    return table


def _set_in_table(into: Any, name: str, value: Any) -> None:
    from tomlkit.items import Comment, Table, Whitespace

    if not isinstance(into, Table):
        _require_table(into)[name] = value
        return
    # Comments after a table's last line belong to the next table.
    body = into.value.body
    trailing: list[Comment | Whitespace] = []
    while body and isinstance(comment := body[-1][1], Comment | Whitespace):
        body.pop()
        trailing.insert(0, comment)
    into[name] = value
    for comment in trailing:
        into.add(comment)


def _apply(change: Callable[[Any], None]) -> None:
    """Apply the change to the file and leave the rest of its text, including comments, unchanged."""
    file = schema.path()
    try:
        rewrite(file, lambda: _changed_text(schema.read(file) or "", change).encode())
    except OSError as error:
        raise UnfitEnvironment(f"Cannot write {file}: {error.strerror or error}.") from None


def _changed_text(text: str, change: Callable[[Any], None]) -> str:
    # Imported here: tomlkit is slow to import, and nothing else writes TOML.
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = schema.path()
    expected = copy.deepcopy(schema.parse_toml(file, text))
    change(expected)
    try:
        document = tomlkit.parse(text)
        change(document)
        changed = tomlkit.dumps(document)
        is_as_expected = schema.parse_toml(file, changed) == expected
    except (TOMLKitError, BadUsage):
        is_as_expected = False
    if not is_as_expected:
        raise BadUsage(f"{file} cannot be changed automatically because of its format; use `hldctl config edit`.")
    load.validate(schema.parse_config(file, changed))
    return changed
