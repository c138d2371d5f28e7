"""The table of sessions as peewee sees it, made of the columns of `session.Session`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hldctl.store import connection
from hldctl.store.session import BOOLEAN_COLUMNS, JSON_COLUMNS, TYPES, decode_value
from hldctl.system.orm import APSWDatabase, BooleanField, Field, FloatField, IntegerField, Model, TextField, fn


class _OpenConnection(APSWDatabase):  # type: ignore[misc]  # playhouse has no stubs for it
    """Runs peewee's SQL on the open connection; errors are those of the driver."""

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        return connection.execute(sql, tuple(params or ()))


class BaseTable(Model):
    class Meta:
        database = _OpenConnection(None)


class JsonField(TextField):
    """A JSON value in a text column."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    def python_value(self, value: str | None) -> Any:
        return None if value is None else decode_value(self.name, value)


def _session_fields() -> Iterator[tuple[str, Field]]:
    """Yield a field for each column of a session; its type and whether it can be null follow from the annotation."""
    for name, type_ in TYPES.items():
        kind = type_.removesuffix(" | None")
        if name in JSON_COLUMNS:
            field: type[Field] = JsonField
        elif name in BOOLEAN_COLUMNS:
            field = BooleanField
        else:
            field = {"int": IntegerField, "float": FloatField, "str": TextField}[kind]
        yield name, field(null=kind != type_, primary_key=name == "id")


SessionTable: Any = type(
    "SessionTable", (BaseTable,), {**dict(_session_fields()), "Meta": type("Meta", (), {"table_name": "sessions"})}
)


def run_time(table: Any = SessionTable) -> Any:
    """Return the milliseconds from the start of a session to its end; NULL if it has not ended."""
    return table.completed_at - fn.COALESCE(table.started_at, table.created_at)


def sample_value(column: str) -> Any:
    """Return a sample value of the type of a session's column."""
    field = getattr(SessionTable, column)
    if isinstance(field, JsonField):
        return []
    return {IntegerField: 0, FloatField: 0.0, BooleanField: False}.get(type(field), "")
