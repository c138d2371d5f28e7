"""Row-level security of the record, in SQL: who sees which rows, and who may write them.

A row belongs to the role that wrote it. It is seen by that role, by the members of its team, which is another role, and
by operators. All of that is evaluated once per query, or is the condition of an index.

The tables' owner is not restricted.
"""

from __future__ import annotations

_TABLES = ("machines", "sessions", "events", "approvals", "changes", "intents")

_TEAM_COLUMN = "ALTER TABLE hldctl.machines ADD COLUMN team name"
_TEAM_INDEX = (
    "CREATE INDEX sessions_by_team ON hldctl.sessions (team, created_at DESC) WHERE NOT archived AND team IS NOT NULL"
)
_TEAMS = """
CREATE FUNCTION hldctl.teams() RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(rolname), '{}') FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')
$$
"""
# 'USAGE': the policies of the role apply to these members.
_IS_OPERATOR = """
CREATE FUNCTION hldctl.is_operator() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hldctl_operator' AND pg_has_role(session_user, oid, 'USAGE'))
        OR pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = 'hldctl.machines'::regclass), 'USAGE')
$$
"""
# NULL for a machine that the record does not have. Who knows its UUID learns that it exists.
_OWNS = """
CREATE FUNCTION hldctl.owns(machine uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT owner = session_user FROM hldctl.machines WHERE id = machine
$$
"""
# What a machine recorded before it joined as another role, which it cannot see any more.
_OF_OTHERS = """
CREATE FUNCTION hldctl.of_others(ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT id FROM hldctl.sessions WHERE id = ANY (ids) AND owner <> session_user
$$
"""
_DECLARE_LOST = """
CREATE FUNCTION hldctl.declare_lost(machine uuid, ids uuid[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now_ms bigint := extract(epoch FROM clock_timestamp()) * 1000;
    lost integer;
BEGIN
    IF (hldctl.owns(machine) OR hldctl.is_operator()) IS NOT TRUE THEN
        RAISE insufficient_privilege USING MESSAGE = 'the machine belongs to another role';
    END IF;
    UPDATE hldctl.sessions SET declared_lost_by = session_user, declared_lost_at = now_ms, completed_at = now_ms,
        status = 'failed', end_reason = 'lost', pending_approvals = 0, revision = revision + 1
    WHERE machine_id = machine AND completed_at IS NULL AND (ids IS NULL OR id = ANY (ids));
    GET DIAGNOSTICS lost = ROW_COUNT;
    RETURN lost;
END $$
"""
_FORGET = """
CREATE FUNCTION hldctl.forget(machine uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lost integer := hldctl.declare_lost(machine, NULL);
BEGIN
    UPDATE hldctl.machines SET left_at = clock_timestamp(), lease = '0' WHERE id = machine;
    RETURN lost;
END $$
"""
# Otherwise, anybody could put sessions into the lists of a team.
_REQUIRE_TEAM = """
CREATE FUNCTION hldctl.require_team() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT NEW.team = ANY (hldctl.teams()) THEN
        RAISE insufficient_privilege
            USING MESSAGE = format('the role "%s" is not a member of the team "%s"', session_user, NEW.team);
    END IF;
    RETURN NEW;
END $$
"""
# A policy does not know what a row was before.
_GUARD_INTENT = """
CREATE FUNCTION hldctl.guard_intent() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF hldctl.owns(NEW.machine_id) IS NOT TRUE THEN
        RAISE insufficient_privilege USING MESSAGE = 'only the owner of a machine can do what was asked of it';
    END IF;
    RETURN NEW;
END $$
"""
# Any member makes partitions, so there is a limit to their number.
_MONTH = """
CREATE OR REPLACE FUNCTION hldctl.make_month(first date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text := 'events_' || to_char(first, 'YYYY_MM');
BEGIN
    IF first IS NULL OR first <> date_trunc('month', first)::date THEN
        RAISE EXCEPTION '% is not the first day of a month', first;
    END IF;
    IF first < '1970-01-01' OR first > current_date + interval '5 years' THEN
        RAISE EXCEPTION 'a session of % is not possible; check the clock of its machine', first;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('hldctl.make_month'));
    IF to_regclass('hldctl.' || part) IS NULL THEN
        EXECUTE format('CREATE TABLE hldctl.%I (LIKE hldctl.events INCLUDING ALL)', part);
        EXECUTE format('ALTER TABLE hldctl.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('ALTER TABLE hldctl.events ATTACH PARTITION hldctl.%I FOR VALUES FROM (%L) TO (%L)',
            part, first, (first + interval '1 month')::date);
    END IF;
END $$
"""
# Rows are reached through `events` alone. Without a policy, a partition shows none, also with default privileges.
_CLOSE_PARTITIONS = """
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'hldctl.events'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', part);
    END LOOP;
END $$
"""

_IS_MINE = "owner = session_user"
_IS_SEEN = f"{_IS_MINE} OR team = ANY ((SELECT hldctl.teams())::name[])"
_IS_MY_MACHINE = "EXISTS (SELECT FROM hldctl.machines m WHERE m.id = {table}.machine_id AND m.owner = session_user)"
_IS_ONE_OF_MY_MACHINES = "machine_id IN (SELECT m.id FROM hldctl.machines m WHERE m.owner = session_user)"
# In a policy, a subquery sees what the role sees.
_IS_SESSION_SEEN = "EXISTS (SELECT FROM hldctl.sessions s WHERE s.id = {table}.session_id)"
_IS_MY_SESSION = "EXISTS (SELECT FROM hldctl.sessions s WHERE s.id = {table}.session_id AND s.owner = session_user)"
_IS_MY_SESSION_ROW = (
    f"{_IS_MINE} AND (machine_id IS NULL OR {_IS_MY_MACHINE})"
    " AND (declared_lost_by IS NULL OR declared_lost_by = session_user)"
)
# A change is one of its session's machine: on another one, somebody else could have made it up.
_IS_CHANGE_SEEN = (
    f"{_IS_ONE_OF_MY_MACHINES} OR EXISTS (SELECT FROM hldctl.sessions s"
    " WHERE s.id = {table}.session_id AND s.machine_id = {table}.machine_id)"
)
_CAN_ASK = (
    "asked_by = session_user AND CASE WHEN session_id IS NULL"
    " THEN EXISTS (SELECT FROM hldctl.machines m WHERE m.id = {table}.machine_id)"
    " ELSE EXISTS (SELECT FROM hldctl.sessions s WHERE s.id = {table}.session_id AND s.machine_id = {table}.machine_id)"
    " END"
)
_IS_MY_INTENT = f"asked_by = session_user OR {_IS_ONE_OF_MY_MACHINES}"

# The conditions by table and command: of rows that are there, and of rows as they become.
_POLICIES: dict[str, dict[str, tuple[str | None, str | None]]] = {
    "machines": {
        "SELECT": (_IS_SEEN, None),
        "INSERT": (None, _IS_MINE),
        "UPDATE": (_IS_MINE, _IS_MINE),
    },
    "sessions": {
        "SELECT": (_IS_SEEN, None),
        "INSERT": (None, _IS_MY_SESSION_ROW),
        "UPDATE": (_IS_MINE, _IS_MY_SESSION_ROW),
        "DELETE": (_IS_MINE, None),
    },
    "events": {
        "SELECT": (_IS_SESSION_SEEN, None),
        "INSERT": (None, _IS_MY_SESSION),
        "UPDATE": (_IS_MY_SESSION, _IS_MY_SESSION),
        "DELETE": (_IS_MY_SESSION, None),
    },
    "approvals": {
        "SELECT": (_IS_SESSION_SEEN, None),
        "INSERT": (None, f"{_IS_MINE} AND {_IS_MY_SESSION}"),
        "UPDATE": (_IS_MY_SESSION, _IS_MY_SESSION),
        "DELETE": (_IS_MY_SESSION, None),
    },
    "changes": {
        "SELECT": (_IS_CHANGE_SEEN, None),
        "INSERT": (None, _IS_MY_MACHINE),
        "DELETE": (_IS_ONE_OF_MY_MACHINES, None),
    },
    "intents": {
        "SELECT": (_IS_MY_INTENT, None),
        "INSERT": (None, _CAN_ASK),
        "UPDATE": (_IS_MY_INTENT, _IS_MY_INTENT),
    },
}


def _policy(table: str, command: str, using: str | None, check: str | None) -> str:
    conditions = [
        f"{word} ({text.format(table=table)})" for word, text in (("USING", using), ("WITH CHECK", check)) if text
    ]
    return f"CREATE POLICY members_{command.lower()} ON hldctl.{table} FOR {command} {' '.join(conditions)}"


STATEMENTS = (
    _TEAM_COLUMN,
    _TEAM_INDEX,
    *(
        _TEAMS,
        _IS_OPERATOR,
        _OWNS,
        _OF_OTHERS,
        _DECLARE_LOST,
        _FORGET,
        _REQUIRE_TEAM,
        _GUARD_INTENT,
        _MONTH,
        _CLOSE_PARTITIONS,
    ),
    *(
        f"CREATE TRIGGER require_team_{event} BEFORE {event} ON hldctl.{table} FOR EACH ROW WHEN ({condition})"
        " EXECUTE FUNCTION hldctl.require_team()"
        for table in ("machines", "sessions")
        for event, condition in (
            ("insert", "NEW.team IS NOT NULL"),
            ("update", "NEW.team IS NOT NULL AND NEW.team IS DISTINCT FROM OLD.team"),
        )
    ),
    "CREATE TRIGGER guard_intent BEFORE UPDATE ON hldctl.intents FOR EACH ROW WHEN (NEW.taken_at IS DISTINCT FROM"
    " OLD.taken_at OR NEW.done_at IS DISTINCT FROM OLD.done_at OR NEW.outcome::text IS DISTINCT FROM OLD.outcome::text)"
    " EXECUTE FUNCTION hldctl.guard_intent()",
    *(f"ALTER TABLE hldctl.{table} ENABLE ROW LEVEL SECURITY" for table in _TABLES),
    *(
        _policy(table, command, using, check)
        for table, policies in _POLICIES.items()
        for command, (using, check) in policies.items()
    ),
)
"""What the migration does that brings row-level security."""
