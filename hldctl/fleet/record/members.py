"""The roles that may use a record: its members, and operators, who see all of it.

Rights are granted again at each `fleet init`. Column by column, so that nobody can write a row as somebody else.
"""

from __future__ import annotations

from typing import LiteralString, NamedTuple

from hldctl.errors import BadUsage
from hldctl.fleet import columns
from hldctl.fleet.record.connection import Connection
from hldctl.fleet.record.driver import SQL, Composable, Identifier, psycopg

OPERATOR = "hldctl_operator"
"""The role whose members see everything, and may forget machines."""
PUBLIC = "PUBLIC"
"""All roles that may connect to the database."""


class _Rights(NamedTuple):
    """What a member may do with a table, as far as its policies allow it."""

    inserted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    can_delete: bool = False


_MACHINE = ("name", "life", "place", "epoch", "lease", "clock_offset_ms", "team")
_SESSION = ("machine_id", "revision", *columns.FILTERS, "row", "texts", "team", "place")
_RIGHTS = {
    "migrations": _Rights(),
    "machines": _Rights(("id", *_MACHINE), (*_MACHINE, "reached", "seen_at", "left_at", "about")),
    "sessions": _Rights(("id", *_SESSION), (*_SESSION, "declared_lost_by", "declared_lost_at"), can_delete=True),
    "events": _Rights(("month", "session_id", "sequence", "event"), ("event",), can_delete=True),
    "approvals": _Rights(
        ("id", "session_id", "status", "created_at", "input_sha256", "row"), ("status", "row"), can_delete=True
    ),
    "changes": _Rights(("machine_id", "id", "type", "session_id", "run_id", "timestamp", "data"), can_delete=True),
    "intents": _Rights(
        ("machine_id", "session_id", "kind", "arguments", "expires_at", "signature", "request"),
        ("taken_at", "done_at", "outcome", "expires_at"),
    ),
}


def grant(connection: Connection, members: str | None) -> bool:
    """Grant the rights of members and operators; return whether there is a role of operators.

    `members` is a role, or PUBLIC; None keeps those that were granted before, at first PUBLIC.
    """
    has_operators = _has_role(connection, OPERATOR) or _make_operator(connection)
    before = _grantees(connection)
    if members is None:
        granted = before or [PUBLIC]
    elif members.upper() == PUBLIC:
        granted = [PUBLIC]
    elif _has_role(connection, members):
        granted = [members]
    else:
        raise BadUsage(f"The server has no role {members!r} that could be the members; make it with CREATE ROLE.")
    for role in before:
        _revoke(connection, _name(role))
    for role in granted:
        _grant(connection, _name(role))
    _let_copy(connection, granted)
    if has_operators:
        _grant(connection, Identifier(OPERATOR))
        _open_for_operators(connection)
    return has_operators


def _has_role(connection: Connection, role: str) -> bool:
    return bool(connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchall())


def _make_operator(connection: Connection) -> bool:
    """Make the role of operators; return False if that is not allowed."""
    try:
        with connection.transaction():
            connection.execute(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(OPERATOR)))
    except psycopg.errors.InsufficientPrivilege:
        return False
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        # For another database of the server, at the same moment.
        pass
    return True


def _grantees(connection: Connection) -> list[str]:
    """Return the roles that are members: those that may use the schema."""
    query = """
SELECT coalesce(r.rolname::text, 'PUBLIC') FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) AS a
LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE nspname = 'hldctl' AND a.privilege_type = 'USAGE' AND a.grantee <> n.nspowner AND r.rolname IS DISTINCT FROM %s
"""
    return [row[0] for row in connection.execute(query, (OPERATOR,)).fetchall()]


def _name(role: str) -> Composable:
    return SQL("PUBLIC") if role == PUBLIC else Identifier(role)


def _revoke(connection: Connection, role: Composable) -> None:
    connection.execute(SQL("REVOKE ALL ON SCHEMA hldctl FROM {}").format(role))
    for table in _RIGHTS:
        connection.execute(SQL("REVOKE ALL ON hldctl.{} FROM {}").format(Identifier(table), role))


def _grant(connection: Connection, role: Composable) -> None:
    connection.execute(SQL("GRANT USAGE ON SCHEMA hldctl TO {}").format(role))
    for table, rights in _RIGHTS.items():
        granted = [SQL("SELECT"), *_on_columns("INSERT", rights.inserted), *_on_columns("UPDATE", rights.updated)]
        if rights.can_delete:
            granted.append(SQL("DELETE"))
        connection.execute(SQL("GRANT {} ON hldctl.{} TO {}").format(SQL(", ").join(granted), Identifier(table), role))


def _on_columns(right: LiteralString, names: tuple[str, ...]) -> list[Composable]:
    return [SQL(right + " ({})").format(SQL(", ").join(map(Identifier, names)))] if names else []


def _let_copy(connection: Connection, roles: list[str]) -> None:
    """Let these roles make temporary tables, which a link needs while it catches up; usually, all roles may."""
    for role in roles:
        query = "SELECT has_database_privilege(%s, current_database(), 'TEMPORARY'), current_database()"
        can_copy, database = connection.execute(query, (role.lower() if role == PUBLIC else role,)).fetchall()[0]
        if not can_copy:
            connection.execute(SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(Identifier(database), _name(role)))


def _open_for_operators(connection: Connection) -> None:
    """Let operators see all rows. Policies of their own: a list of anybody else does not have to ask for each row."""
    commands: list[tuple[str, LiteralString]] = [(table, "SELECT") for table in _RIGHTS if table != "migrations"]
    for table, command in [*commands, ("intents", "DELETE")]:
        policy = f"operators_{command.lower()}"
        query = "SELECT 1 FROM pg_policies WHERE schemaname = 'hldctl' AND tablename = %s AND policyname = %s"
        # Making it waits for all that use the table.
        if not connection.execute(query, (table, policy)).fetchall():
            connection.execute(
                SQL("CREATE POLICY {} ON hldctl.{} FOR " + command + " TO {} USING (true)").format(
                    Identifier(policy), Identifier(table), Identifier(OPERATOR)
                )
            )
    connection.execute(SQL("GRANT DELETE ON hldctl.intents TO {}").format(Identifier(OPERATOR)))
