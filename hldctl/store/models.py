"""The tables as peewee sees them; `migrations` makes them.

Times are whole milliseconds since 1970, UTC.
"""

from __future__ import annotations

import json
from typing import Any

from peewee import AutoField, BooleanField, CompositeKey, FloatField, IntegerField, Model, TextField
from playhouse.apsw_ext import APSWDatabase

database = APSWDatabase(None, autoconnect=False)


class JsonField(TextField):
    """A JSON value in a text column."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)


class Session(Model):
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

    class Meta:
        database = database
        table_name = "sessions"


class ConversationEvent(Model):
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

    class Meta:
        database = database
        table_name = "conversation_events"
        primary_key = False


class FileSnapshot(Model):
    id = AutoField()
    session_id = TextField()
    tool_id = TextField()
    file_path = TextField()
    content = TextField()
    created_at = IntegerField()

    class Meta:
        database = database
        table_name = "file_snapshots"


class McpServerRow(Model):
    session_id = TextField()
    name = TextField()
    transport = TextField(null=True)
    command = TextField(null=True)
    url = TextField(null=True)
    env_names = JsonField(null=True)
    header_names = JsonField(null=True)
    status = TextField(null=True)
    """As Claude Code's `init` said it; absent before."""

    class Meta:
        database = database
        table_name = "mcp_servers"
        primary_key = CompositeKey("session_id", "name")


class FeedEvent(Model):
    id = AutoField()
    type = TextField()
    session_id = TextField()
    run_id = TextField()
    timestamp = IntegerField()
    data = JsonField()

    class Meta:
        database = database
        table_name = "feed"
