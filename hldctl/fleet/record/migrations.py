"""The schema of the record, as a numbered list of migrations.

Migrations are only ever appended, and only add: machines with an older hldctl continue to write.

What lists filter by are columns; they hold copies without the characters that PostgreSQL's texts cannot hold. The whole
of a row is JSON of type `json`, which keeps every character.
"""

from __future__ import annotations

from hldctl.fleet.record import full_text, policies

_MACHINES = """
CREATE TABLE hldctl.machines (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    owner name NOT NULL DEFAULT session_user,
    epoch bigint NOT NULL DEFAULT 0,
    life text,
    reached bigint NOT NULL DEFAULT 0,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease interval NOT NULL DEFAULT '0',
    left_at timestamptz,
    clock_offset_ms bigint,
    place text,
    about json
)
"""
_SESSIONS = """
CREATE TABLE hldctl.sessions (
    id uuid PRIMARY KEY,
    machine_id uuid REFERENCES hldctl.machines (id),
    owner name NOT NULL DEFAULT session_user,
    team name,
    parent_session_id text,
    name text,
    status text NOT NULL,
    end_reason text,
    title text,
    summary text,
    query text,
    working_dir text,
    group_name text,
    model text,
    archived boolean NOT NULL,
    created_at bigint NOT NULL,
    last_activity_at bigint,
    started_at bigint,
    completed_at bigint,
    duration_ms bigint,
    num_turns bigint,
    cost_usd double precision,
    input_tokens bigint,
    output_tokens bigint,
    cache_creation_input_tokens bigint,
    cache_read_input_tokens bigint,
    pending_approvals bigint NOT NULL DEFAULT 0,
    place json,
    declared_lost_by name,
    declared_lost_at bigint,
    revision bigint NOT NULL DEFAULT 0,
    "row" json NOT NULL,
    texts json
)
"""
_EVENTS = """
CREATE TABLE hldctl.events (
    month date NOT NULL,
    session_id uuid NOT NULL,
    sequence integer NOT NULL,
    event json NOT NULL,
    PRIMARY KEY (session_id, sequence, month)
) PARTITION BY RANGE (month)
"""
_APPROVALS = """
CREATE TABLE hldctl.approvals (
    id text COLLATE "C" PRIMARY KEY,
    session_id uuid NOT NULL,
    owner name NOT NULL DEFAULT session_user,
    team name,
    status text NOT NULL,
    created_at bigint NOT NULL,
    input_sha256 text,
    "row" json NOT NULL
)
"""
_CHANGES = """
CREATE TABLE hldctl.changes (
    machine_id uuid NOT NULL REFERENCES hldctl.machines (id),
    id bigint NOT NULL,
    type text NOT NULL,
    session_id uuid NOT NULL,
    run_id text NOT NULL,
    "timestamp" bigint NOT NULL,
    data json NOT NULL,
    PRIMARY KEY (machine_id, id)
)
"""
_INTENTS = """
CREATE TABLE hldctl.intents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine_id uuid NOT NULL REFERENCES hldctl.machines (id),
    session_id uuid,
    kind text NOT NULL,
    arguments json NOT NULL,
    asked_by name NOT NULL DEFAULT session_user,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    signature text,
    done_at timestamptz,
    outcome json
)
"""
# Compare and swap: a link that was replaced, or that lost the answer to a COMMIT, writes nothing.
_ADVANCE = """
CREATE FUNCTION hldctl.advance(machine uuid, own_epoch bigint, old bigint, new bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE hldctl.machines SET reached = new, seen_at = clock_timestamp()
    WHERE id = machine AND epoch = own_epoch AND reached = old;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another link writes for machine %', machine USING ERRCODE = 'HL001';
    END IF;
END $$
"""
# Attached rather than created in place, which would lock out all readers and writers.
_MONTH = """
CREATE FUNCTION hldctl.make_month(first date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text := 'events_' || to_char(first, 'YYYY_MM');
BEGIN
    IF first <> date_trunc('month', first)::date THEN
        RAISE EXCEPTION '% is not the first day of a month', first;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('hldctl.make_month'));
    IF to_regclass('hldctl.' || part) IS NULL THEN
        EXECUTE format('CREATE TABLE hldctl.%I (LIKE hldctl.events INCLUDING ALL)', part);
        EXECUTE format('ALTER TABLE hldctl.events ATTACH PARTITION hldctl.%I FOR VALUES FROM (%L) TO (%L)',
            part, first, (first + interval '1 month')::date);
    END IF;
END $$
"""
# The links alone listen: each NOTIFY wakes all listeners of a database, up to PostgreSQL 18 at least.
_ANNOUNCE = """
CREATE FUNCTION hldctl.announce_intent() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('hldctl_' || replace(NEW.machine_id::text, '-', ''), '');
    RETURN NULL;
END $$
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        _MACHINES,
        _SESSIONS,
        "CREATE INDEX sessions_by_creation ON hldctl.sessions (created_at DESC, id DESC) WHERE NOT archived",
        "CREATE INDEX sessions_by_owner ON hldctl.sessions (owner, created_at DESC) WHERE NOT archived",
        "CREATE INDEX sessions_by_machine ON hldctl.sessions (machine_id, created_at DESC)",
        "CREATE INDEX sessions_by_name ON hldctl.sessions (name, created_at DESC) WHERE name IS NOT NULL",
        "CREATE INDEX sessions_alive ON hldctl.sessions (machine_id) WHERE completed_at IS NULL",
        "CREATE INDEX sessions_alive_by_creation ON hldctl.sessions (created_at DESC, id DESC)"
        " WHERE completed_at IS NULL",
        "CREATE INDEX sessions_waiting ON hldctl.sessions (created_at) WHERE pending_approvals > 0",
        _EVENTS,
        _APPROVALS,
        "CREATE INDEX approvals_by_session ON hldctl.approvals (session_id, created_at)",
        "CREATE INDEX approvals_pending ON hldctl.approvals (created_at) WHERE status = 'pending'",
        _CHANGES,
        "CREATE INDEX changes_by_session ON hldctl.changes (session_id, id)",
        _INTENTS,
        "CREATE INDEX intents_open ON hldctl.intents (machine_id, id) WHERE done_at IS NULL",
        _ADVANCE,
        _MONTH,
    ),
    (
        # The asker's own number of an intent, which makes each one happen once; and when the machine began.
        "ALTER TABLE hldctl.intents ADD COLUMN request uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),"
        " ADD COLUMN taken_at timestamptz",
        _ANNOUNCE,
        "CREATE TRIGGER announce AFTER INSERT ON hldctl.intents FOR EACH ROW EXECUTE FUNCTION hldctl.announce_intent()",
    ),
    policies.STATEMENTS,
    full_text.STATEMENTS,
)
