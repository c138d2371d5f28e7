"""peewee models of the tables, for queries that a command composes; `migrations` creates the tables.

The table of sessions is derived from `session.Session`, which a supervisor can load without peewee (20 ms and 5 MB). A
test compares these models with the queries on the other tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from peewee import BooleanField, CompositeKey, Field, FloatField, IntegerField, Model, TextField
from playhouse.apsw_ext import APSWDatabase

from hldctl.store import connection
from hldctl.store.session import BOOLEAN_COLUMNS, JSON_COLUMNS, TYPES, decode_value


class _OpenConnection(APSWDatabase):  # type: ignore[misc]  # playhouse has no stubs for it
    """Runs peewee's SQL on the open connection; errors are those of the driver."""

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        return connection.execute(sql, tuple(params or ()))


class _Table(Model):
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
    "SessionTable", (_Table,), {**dict(_session_fields()), "Meta": type("Meta", (), {"table_name": "sessions"})}
)


class EventTable(_Table):
    session_id = TextField()
    sequence = IntegerField()
    event_type = TextField()
    role = TextField(null=True)
    content = TextField(null=True)
    tool_id = TextField(null=True)
    tool_name = TextField(null=True)
    tool_input = TextField(null=True)
    parent_tool_use_id = TextField(null=True)
    tool_result_for_id = TextField(null=True)
    tool_result_content = TextField(null=True)
    is_error = BooleanField()
    is_completed = BooleanField()
    approval_status = TextField(null=True)
    approval_id = TextField(null=True)
    created_at = IntegerField()
    note_kind = TextField(null=True)

    class Meta:
        table_name = "conversation_events"
        primary_key = False


class SnapshotTable(_Table):
    id = IntegerField(primary_key=True)
    session_id = TextField()
    tool_id = TextField()
    file_path = TextField()
    content = TextField()
    created_at = IntegerField()

    class Meta:
        table_name = "file_snapshots"


class McpServerTable(_Table):
    session_id = TextField()
    name = TextField()
    transport = TextField(null=True)
    command = TextField(null=True)
    url = TextField(null=True)
    env_names = TextField(null=True)
    header_names = TextField(null=True)
    status = TextField(null=True)

    class Meta:
        table_name = "mcp_servers"
        primary_key = CompositeKey("session_id", "name")


class FeedTable(_Table):
    id = IntegerField(primary_key=True)
    type = TextField()
    session_id = TextField()
    run_id = TextField()
    timestamp = IntegerField()
    data = TextField()

    class Meta:
        table_name = "feed"


class ApprovalTable(_Table):
    id = TextField(primary_key=True)
    session_id = TextField()
    run_id = TextField()
    tool_use_id = TextField(null=True)
    tool_name = TextField()
    tool_input = TextField()
    suggested_rule = TextField(null=True)
    status = TextField()
    comment = TextField(null=True)
    answer = TextField(null=True)
    answered_by = TextField(null=True)
    created_at = IntegerField()
    responded_at = IntegerField(null=True)
    hook_pid = IntegerField()
    hook_started = IntegerField()
    boot_id = TextField()
    answered_from = TextField(null=True)

    class Meta:
        table_name = "approvals"


class ApprovalRuleTable(_Table):
    session_id = TextField()
    tool_name = TextField()
    kind = TextField()
    content = TextField()

    class Meta:
        table_name = "approval_rules"
        primary_key = False


class CommandTokenTable(_Table):
    hash = TextField(primary_key=True)
    session_id = TextField()

    class Meta:
        table_name = "command_tokens"


TABLES = (
    SessionTable,
    EventTable,
    SnapshotTable,
    McpServerTable,
    FeedTable,
    ApprovalTable,
    ApprovalRuleTable,
    CommandTokenTable,
)


def sample_value(column: str) -> Any:
    """Return a sample value of the type of a session's column."""
    field = getattr(SessionTable, column)
    if isinstance(field, JsonField):
        return []
    return {IntegerField: 0, FloatField: 0.0, BooleanField: False}.get(type(field), "")
