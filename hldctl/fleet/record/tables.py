"""The record's table of sessions as peewee sees it: the columns of the local one that lists filter by."""

from __future__ import annotations

from typing import Any

from hldctl.fleet import columns
from hldctl.store.session_table import SessionTable
from hldctl.system.orm import Model, PostgresqlDatabase, TextField

# Composes SQL; psycopg runs it.
_DIALECT = PostgresqlDatabase(None)


def _fields() -> dict[str, Any]:
    local = SessionTable._meta.fields
    fields = {name: type(local[name])(null=local[name].null) for name in columns.FILTERS}
    return {"id": TextField(primary_key=True), "machine_id": TextField(null=True), "owner": TextField(), **fields}


_META = type("Meta", (), {"table_name": "sessions", "schema": "hldctl", "database": _DIALECT})
RecordedSession: Any = type("RecordedSession", (Model,), {**_fields(), "Meta": _META})
