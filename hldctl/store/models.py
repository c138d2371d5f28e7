"""peewee models of the tables, for queries that a command composes; `migrations` creates the tables.

The table of sessions is derived from `session.Session`, which a supervisor can load without peewee (20 ms and 5 MB). A
test compares these models with the queries on the other tables.
"""

from __future__ import annotations

from hldctl.store.session_table import BaseTable, SessionTable
from hldctl.system.orm import BooleanField, CompositeKey, FloatField, IntegerField, TextField


class EventTable(BaseTable):
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


class SnapshotTable(BaseTable):
    id = IntegerField(primary_key=True)
    session_id = TextField()
    tool_id = TextField()
    file_path = TextField()
    content = TextField()
    created_at = IntegerField()

    class Meta:
        table_name = "file_snapshots"


class McpServerTable(BaseTable):
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


class FeedTable(BaseTable):
    id = IntegerField(primary_key=True)
    type = TextField()
    session_id = TextField()
    run_id = TextField()
    timestamp = IntegerField()
    data = TextField()

    class Meta:
        table_name = "feed"


class ApprovalTable(BaseTable):
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


class ApprovalRuleTable(BaseTable):
    session_id = TextField()
    tool_name = TextField()
    kind = TextField()
    content = TextField()

    class Meta:
        table_name = "approval_rules"
        primary_key = False


class CommandTokenTable(BaseTable):
    hash = TextField(primary_key=True)
    session_id = TextField()

    class Meta:
        table_name = "command_tokens"


class MessageTable(BaseTable):
    id = TextField(primary_key=True)
    session_id = TextField()
    kind = TextField()
    text = TextField(null=True)
    status = TextField()
    created_at = IntegerField()
    acknowledged_at = IntegerField(null=True)
    delivered_at = IntegerField(null=True)
    sequence = IntegerField(null=True)
    answered_at = IntegerField(null=True)
    answer = TextField(null=True)

    class Meta:
        table_name = "messages"


class SpendingTable(BaseTable):
    session_id = TextField()
    position = IntegerField()
    spent_at = IntegerField()
    group_name = TextField(null=True)
    rehearsed = BooleanField()
    cost_usd = FloatField()
    is_estimate = BooleanField()

    class Meta:
        table_name = "spending"
        primary_key = CompositeKey("session_id", "position", "spent_at")


class BudgetAlertTable(BaseTable):
    id = TextField(primary_key=True)
    group_name = TextField()
    period = TextField()
    since = IntegerField()
    until = IntegerField()
    limit_usd = FloatField()
    percent = IntegerField()
    rehearsed = BooleanField()
    spent_usd = FloatField()
    created_at = IntegerField()
    is_pending = BooleanField()

    class Meta:
        table_name = "budget_alerts"


TABLES = (
    SessionTable,
    EventTable,
    SnapshotTable,
    McpServerTable,
    FeedTable,
    ApprovalTable,
    ApprovalRuleTable,
    CommandTokenTable,
    MessageTable,
    SpendingTable,
    BudgetAlertTable,
)
