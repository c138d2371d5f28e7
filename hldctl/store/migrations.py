"""The schema, as a numbered list of migrations; `user_version` is the number that a database has had.

Migrations are only ever appended.
"""

from __future__ import annotations

from collections.abc import Iterator

_SESSIONS = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    name TEXT,
    claude_session_id TEXT,
    parent_session_id TEXT,
    status TEXT NOT NULL,
    end_reason TEXT,
    query TEXT NOT NULL,
    summary TEXT NOT NULL,
    title TEXT,
    requested_model TEXT,
    model TEXT,
    model_id TEXT,
    working_dir TEXT NOT NULL,
    additional_directories TEXT NOT NULL,
    max_turns INTEGER,
    max_budget_usd REAL,
    system_prompt TEXT,
    append_system_prompt TEXT,
    custom_instructions TEXT,
    permission_mode TEXT,
    permission_prompt_tool TEXT,
    allowed_tools TEXT NOT NULL,
    disallowed_tools TEXT NOT NULL,
    fresh_system_prompt INTEGER NOT NULL,
    extra_arguments TEXT NOT NULL,
    auto_accept_edits INTEGER NOT NULL,
    dangerously_skip_permissions INTEGER NOT NULL,
    dangerously_skip_permissions_expires_at INTEGER,
    archived INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_activity_at INTEGER NOT NULL,
    completed_at INTEGER,
    duration_ms INTEGER,
    num_turns INTEGER,
    cost_usd REAL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_creation_input_tokens INTEGER,
    cache_read_input_tokens INTEGER,
    effective_context_tokens INTEGER,
    context_window INTEGER,
    result_content TEXT,
    error_message TEXT,
    permission_denials TEXT NOT NULL,
    exit_code INTEGER,
    host TEXT NOT NULL,
    claude_path TEXT NOT NULL,
    pid INTEGER,
    pid_started INTEGER,
    supervisor_pid INTEGER,
    boot_id TEXT,
    journal_offset INTEGER NOT NULL,
    fold_state TEXT NOT NULL,
    interrupt_requested_at INTEGER,
    interrupt_grace_ms INTEGER
)
"""

_CONVERSATION_EVENTS = """
CREATE TABLE conversation_events (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    role TEXT,
    content TEXT,
    tool_id TEXT,
    tool_name TEXT,
    tool_input TEXT,
    parent_tool_use_id TEXT,
    tool_result_for_id TEXT,
    tool_result_content TEXT,
    is_error INTEGER NOT NULL,
    is_completed INTEGER NOT NULL,
    approval_status TEXT,
    approval_id TEXT,
    created_at INTEGER NOT NULL
)
"""

_SNAPSHOTS = """
CREATE TABLE file_snapshots (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    tool_id TEXT NOT NULL,
    file_path TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL
)
"""

_MCP_SERVERS = """
CREATE TABLE mcp_servers (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    transport TEXT,
    command TEXT,
    url TEXT,
    env_names TEXT,
    header_names TEXT,
    status TEXT,
    PRIMARY KEY (session_id, name)
)
"""

# AUTOINCREMENT: an id is never reused, not even after the newest rows were pruned.
_FEED = """
CREATE TABLE feed (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    run_id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    data TEXT NOT NULL
)
"""

# Events of the feed that outlive their session; their ids are taken from the feed's.
_DELETIONS = """
CREATE TABLE deletions (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    data TEXT NOT NULL
)
"""

_APPROVALS = """
CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    run_id TEXT NOT NULL,
    tool_use_id TEXT,
    tool_name TEXT NOT NULL,
    tool_input TEXT NOT NULL,
    suggested_rule TEXT,
    status TEXT NOT NULL,
    comment TEXT,
    answer TEXT,
    answered_by TEXT,
    created_at INTEGER NOT NULL,
    responded_at INTEGER,
    hook_pid INTEGER NOT NULL,
    hook_started INTEGER NOT NULL,
    boot_id TEXT NOT NULL
)
"""

_APPROVAL_RULES = """
CREATE TABLE approval_rules (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    tool_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (session_id, tool_name, kind, content)
)
"""

_COMMAND_TOKENS = """
CREATE TABLE command_tokens (
    hash TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE
)
"""

_MESSAGES = """
CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind TEXT NOT NULL DEFAULT 'message',
    text TEXT,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    acknowledged_at INTEGER,
    delivered_at INTEGER,
    sequence INTEGER,
    answered_at INTEGER,
    answer TEXT
)
"""

# Without a reference to the session: what it spent counts after its deletion, too.
_SPENDING = """
CREATE TABLE spending (
    session_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    spent_at INTEGER NOT NULL,
    group_name TEXT,
    rehearsed INTEGER NOT NULL,
    cost_usd REAL NOT NULL,
    is_estimate INTEGER NOT NULL,
    PRIMARY KEY (session_id, position, spent_at)
)
"""

_BUDGET_ALERTS = """
CREATE TABLE budget_alerts (
    id TEXT PRIMARY KEY,
    group_name TEXT NOT NULL,
    period TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    limit_usd REAL NOT NULL,
    percent INTEGER NOT NULL,
    rehearsed INTEGER NOT NULL,
    spent_usd REAL NOT NULL,
    created_at INTEGER NOT NULL,
    is_pending INTEGER NOT NULL,
    UNIQUE (group_name, period, since, limit_usd, percent, rehearsed)
)
"""

_RUNS = (
    "sessions.name IS NOT NULL AND sessions.completed_at IS NULL AND sessions.status NOT IN ('queued', 'interrupting')"
)

_ACCOUNT_LIMITS = """
CREATE TABLE account_limits (
    account TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    until INTEGER,
    reason TEXT NOT NULL,
    since INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    probe TEXT,
    probed_at INTEGER,
    refusals INTEGER NOT NULL,
    is_reopening INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID
"""

# Sessions that were deleted by `rm`, so that the fleet's record forgets them, too.
_TOMBSTONES = """
CREATE TABLE tombstones (
    session_id TEXT PRIMARY KEY,
    deleted_at INTEGER NOT NULL
) WITHOUT ROWID
"""

# `life` identifies this database: after it was rebuilt, the fleet's record starts again at its first change.
_MARKS = """
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        _SESSIONS,
        "CREATE INDEX sessions_by_creation ON sessions (archived, created_at)",
        "CREATE INDEX sessions_by_creation_of_all ON sessions (created_at)",
        "CREATE INDEX sessions_alive ON sessions (created_at) WHERE completed_at IS NULL",
        "CREATE INDEX sessions_by_name ON sessions (name, created_at) WHERE name IS NOT NULL",
        "CREATE INDEX sessions_by_parent ON sessions (parent_session_id) WHERE parent_session_id IS NOT NULL",
        _CONVERSATION_EVENTS,
        "CREATE UNIQUE INDEX events_by_sequence ON conversation_events (session_id, sequence)",
        "CREATE INDEX events_by_tool ON conversation_events (session_id, tool_id) WHERE tool_id IS NOT NULL",
    ),
    (
        _SNAPSHOTS,
        "CREATE UNIQUE INDEX snapshots_by_tool ON file_snapshots (session_id, tool_id)",
        _MCP_SERVERS,
        _FEED,
        "CREATE INDEX feed_by_session ON feed (session_id, id)",
        "CREATE INDEX feed_by_type ON feed (type, id)",
    ),
    ("ALTER TABLE sessions ADD COLUMN left_running TEXT",),
    (
        _APPROVALS,
        "CREATE INDEX approvals_by_session ON approvals (session_id, created_at)",
        "CREATE INDEX approvals_pending ON approvals (created_at) WHERE status = 'pending'",
        "CREATE INDEX approvals_without_call ON approvals (session_id, created_at) WHERE tool_use_id IS NULL",
        _APPROVAL_RULES,
        "CREATE INDEX events_open_calls ON conversation_events (session_id, tool_name, sequence)"
        " WHERE event_type = 'tool_call' AND is_completed = 0",
        "ALTER TABLE sessions ADD COLUMN approvals INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN approval_timeout_ms INTEGER",
        "ALTER TABLE sessions ADD COLUMN approval_timeout_allows INTEGER",
        "ALTER TABLE sessions ADD COLUMN on_approval TEXT",
        "ALTER TABLE sessions ADD COLUMN pending_approvals INTEGER NOT NULL DEFAULT 0",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN timeout_ms INTEGER",
        "ALTER TABLE sessions ADD COLUMN idle_timeout_ms INTEGER",
        "ALTER TABLE sessions ADD COLUMN stop_reason TEXT",
        "CREATE INDEX sessions_by_end ON sessions (completed_at) WHERE completed_at IS NOT NULL",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN group_name TEXT",
        "ALTER TABLE sessions ADD COLUMN retries INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN wait_for_reset INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN fail_on_denial INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN on_end TEXT",
        "ALTER TABLE sessions ADD COLUMN on_end_pending INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN rehearsed INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN was_queued INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN started_at INTEGER",
        "ALTER TABLE sessions ADD COLUMN restarts TEXT",
        # Before this version two sessions of one name could run, which the index forbids: the newest keeps the name.
        f"UPDATE sessions SET title = coalesce(title, name), name = NULL WHERE {_RUNS} AND EXISTS ("
        f"SELECT 1 FROM sessions AS newer WHERE newer.name = sessions.name AND {_RUNS.replace('sessions.', 'newer.')}"
        " AND (newer.created_at, newer.rowid) > (sessions.created_at, sessions.rowid))",
        # Enforce in the database what the scheduler decides.
        "CREATE UNIQUE INDEX sessions_running_by_name ON sessions (name)"
        " WHERE name IS NOT NULL AND completed_at IS NULL AND status NOT IN ('queued', 'interrupting')",
        "CREATE INDEX sessions_on_end_pending ON sessions (created_at) WHERE on_end_pending = 1",
    ),
    (
        "CREATE INDEX sessions_by_status ON sessions (status, archived, created_at)",
        # Most feed rows have that type, and indexing them would write one more page with each event.
        "DROP INDEX feed_by_type",
        "CREATE INDEX feed_of_changes ON feed (type, id) WHERE type <> 'conversation_updated'",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN from_session INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN launched_within TEXT",
        "ALTER TABLE approvals ADD COLUMN answered_from TEXT",
        _COMMAND_TOKENS,
        "CREATE INDEX command_tokens_by_session ON command_tokens (session_id)",
    ),
    ("ALTER TABLE conversation_events ADD COLUMN note_kind TEXT",),
    (_DELETIONS,),
    (
        "ALTER TABLE sessions ADD COLUMN background_tasks TEXT",
        "ALTER TABLE sessions ADD COLUMN turn_ended_at INTEGER",
    ),
    (
        _MESSAGES,
        "CREATE INDEX messages_by_session ON messages (session_id)",
        "CREATE INDEX messages_undelivered ON messages (session_id) WHERE status IN ('pending', 'sent')",
        "ALTER TABLE sessions ADD COLUMN is_closing INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN keep_open INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN pending_messages INTEGER NOT NULL DEFAULT 0",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN question_timeout_ms INTEGER",
        "ALTER TABLE sessions ADD COLUMN question_timeout_takes_first INTEGER",
    ),
    ("ALTER TABLE sessions ADD COLUMN source TEXT",),
    ("ALTER TABLE sessions ADD COLUMN waiting_for TEXT",),
    ("ALTER TABLE sessions ADD COLUMN after TEXT",),
    (
        "ALTER TABLE sessions ADD COLUMN check_command TEXT",
        "ALTER TABLE sessions ADD COLUMN check_tries INTEGER NOT NULL DEFAULT 3",
        "ALTER TABLE sessions ADD COLUMN check_state TEXT",
    ),
    ("ALTER TABLE sessions ADD COLUMN stall_ms INTEGER",),
    ("ALTER TABLE sessions ADD COLUMN profile TEXT",),
    (
        _ACCOUNT_LIMITS,
        "ALTER TABLE sessions ADD COLUMN account TEXT",
        "ALTER TABLE sessions ADD COLUMN limit_until INTEGER",
    ),
    (
        _SPENDING,
        "CREATE INDEX spending_by_time ON spending (spent_at, rehearsed, group_name, is_estimate, cost_usd)",
        # What sessions had spent before: at their end, or so far.
        "INSERT INTO spending (session_id, position, spent_at, group_name, rehearsed, cost_usd, is_estimate)"
        " SELECT id, 0, coalesce(completed_at, last_activity_at), group_name, rehearsed, cost_usd, 0"
        " FROM sessions WHERE cost_usd > 0 AND source IS NULL",
        _BUDGET_ALERTS,
        "CREATE INDEX budget_alerts_pending ON budget_alerts (is_pending) WHERE is_pending = 1",
        "ALTER TABLE sessions ADD COLUMN waiting_budget TEXT",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN worktree TEXT",
        "CREATE INDEX sessions_with_worktree ON sessions (created_at) WHERE worktree IS NOT NULL",
    ),
    (
        _TOMBSTONES,
        _MARKS,
        "INSERT INTO marks VALUES ('life', lower(hex(randomblob(16))))",
    ),
    ("ALTER TABLE sessions ADD COLUMN private INTEGER NOT NULL DEFAULT 0",),
    (
        "ALTER TABLE sessions ADD COLUMN launched_by TEXT",
        "ALTER TABLE sessions ADD COLUMN launchers TEXT",
        "ALTER TABLE sessions ADD COLUMN deleted_launched_usd REAL",
        "CREATE INDEX sessions_by_launcher ON sessions (launched_by) WHERE launched_by IS NOT NULL",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN effort TEXT",
        "ALTER TABLE sessions ADD COLUMN agent TEXT",
        "ALTER TABLE sessions ADD COLUMN agent_names TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE sessions ADD COLUMN fallback_model TEXT",
        "ALTER TABLE sessions ADD COLUMN tools TEXT",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN json_schema TEXT",
        "ALTER TABLE sessions ADD COLUMN structured_output TEXT",
    ),
)


def migrations_from(version: int) -> Iterator[tuple[str, ...]]:
    """Yield the statements of each migration after `version`; the last one of each sets `user_version`."""
    for number in range(version, len(MIGRATIONS)):
        yield (*MIGRATIONS[number], f"PRAGMA user_version = {number + 1}")
