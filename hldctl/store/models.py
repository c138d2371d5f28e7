"""The table of sessions as peewee sees it, for queries that a command composes; `migrations` makes the tables.

Times are whole milliseconds since 1970, UTC.
"""

from __future__ import annotations

import json
from typing import Any

from peewee import BooleanField, FloatField, IntegerField, Model, TextField
from playhouse.apsw_ext import APSWDatabase

from hldctl.store import connection


class _OpenConnection(APSWDatabase):  # type: ignore[misc]  # playhouse has no stubs for it
    """Makes SQL of queries, and runs it on the connection that is open; errors are the driver's."""

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        return connection.execute(sql, tuple(params or ()))


_database = _OpenConnection(None)


class JsonField(TextField):
    """A JSON value in a text column."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)


class SessionTable(Model):
    id = TextField(primary_key=True)
    run_id = TextField()
    name = TextField(null=True)
    claude_session_id = TextField(null=True)
    parent_session_id = TextField(null=True)
    status = TextField()
    end_reason = TextField(null=True)
    query = TextField()
    summary = TextField()
    title = TextField(null=True)
    requested_model = TextField(null=True)
    """What the launcher asked for; `model` is what the session has."""
    model = TextField(null=True)
    model_id = TextField(null=True)
    working_dir = TextField()
    additional_directories = JsonField()
    max_turns = IntegerField(null=True)
    max_budget_usd = FloatField(null=True)
    system_prompt = TextField(null=True)
    append_system_prompt = TextField(null=True)
    custom_instructions = TextField(null=True)
    permission_mode = TextField(null=True)
    permission_prompt_tool = TextField(null=True)
    allowed_tools = JsonField()
    disallowed_tools = JsonField()
    fresh_system_prompt = BooleanField()
    extra_arguments = JsonField()
    auto_accept_edits = BooleanField()
    dangerously_skip_permissions = BooleanField()
    dangerously_skip_permissions_expires_at = IntegerField(null=True)
    archived = BooleanField()
    created_at = IntegerField()
    last_activity_at = IntegerField()
    completed_at = IntegerField(null=True)
    duration_ms = IntegerField(null=True)
    num_turns = IntegerField(null=True)
    cost_usd = FloatField(null=True)
    input_tokens = IntegerField(null=True)
    output_tokens = IntegerField(null=True)
    cache_creation_input_tokens = IntegerField(null=True)
    cache_read_input_tokens = IntegerField(null=True)
    effective_context_tokens = IntegerField(null=True)
    context_window = IntegerField(null=True)
    result_content = TextField(null=True)
    error_message = TextField(null=True)
    permission_denials = JsonField()
    exit_code = IntegerField(null=True)
    host = TextField()
    claude_path = TextField()
    pid = IntegerField(null=True)
    pid_started = IntegerField(null=True)
    supervisor_pid = IntegerField(null=True)
    boot_id = TextField(null=True)
    journal_offset = IntegerField()
    fold_state = JsonField()
    interrupt_requested_at = IntegerField(null=True)
    interrupt_grace_ms = IntegerField(null=True)
    left_running = JsonField(null=True)
    """Pairs of pid and start of what Claude Code had left running when it ended in good order; see ProcessIdentity."""
    approvals = BooleanField(default=False)
    approval_timeout_ms = IntegerField(null=True)
    approval_timeout_allows = BooleanField(null=True)
    on_approval = TextField(null=True)
    pending_approvals = IntegerField(default=0)
    timeout_ms = IntegerField(null=True)
    idle_timeout_ms = IntegerField(null=True)
    stop_reason = TextField(null=True)
    """Why it was to be stopped, as an EndReason: decided before it was signalled."""
    group_name = TextField(null=True)
    """The group whose slots it takes."""
    retries = IntegerField(default=0)
    wait_for_reset = BooleanField(default=False)
    fail_on_denial = BooleanField(default=False)
    on_end = TextField(null=True)
    on_end_pending = BooleanField(default=False)
    """Whether it has ended and its `on_end` has still to be run."""
    rehearsed = BooleanField(default=False)
    was_queued = BooleanField(default=False)
    """Whether it has waited for its turn, or waits."""
    started_at = IntegerField(null=True)
    """When Claude Code ran first; a session may have been queued before."""
    restarts = JsonField(null=True)
    """Each a Restart of the supervisor's, as an object."""
    from_session = BooleanField(default=False)
    """Whether it may answer permission requests and widen permissions itself."""
    launched_within = TextField(null=True)
    """The session that launched it with commands of its own choice and without that right: they get no token."""

    class Meta:
        database = _database
        table_name = "sessions"


def sample(column: str) -> Any:
    """Return a value of the column's kind."""
    field = getattr(SessionTable, column)
    if isinstance(field, JsonField):
        return []
    return {IntegerField: 0, FloatField: 0.0, BooleanField: False}.get(type(field), "")
