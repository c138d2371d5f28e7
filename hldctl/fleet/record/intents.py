"""Intents in the record: asked by one machine, and done by another."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hldctl.fleet.intents.intent import Asked, Intent, Outcome, outcome_from_json
from hldctl.fleet.record.connection import Connection

_MAX_OPEN = 100
_INSERT = """
INSERT INTO hldctl.intents (request, machine_id, session_id, kind, arguments, expires_at, signature)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
# What was begun is also finished later: the machine knows whether it was carried out.
_OPEN = """
SELECT request, session_id, kind, arguments, signature, asked_by,
    ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.rolname = ANY(%(accept_from)s)
        AND EXISTS (SELECT 1 FROM pg_roles a WHERE a.rolname = i.asked_by AND pg_has_role(a.oid, r.oid, 'MEMBER'))),
    session_user::text
FROM hldctl.intents i
WHERE machine_id = %(machine)s AND done_at IS NULL
    AND (taken_at IS NOT NULL OR expires_at IS NULL OR expires_at > clock_timestamp())
ORDER BY id LIMIT %(limit)s
"""
_TAKE = """
UPDATE hldctl.intents SET taken_at = clock_timestamp()
WHERE request = %s AND done_at IS NULL
    AND (taken_at IS NOT NULL OR expires_at IS NULL OR expires_at > clock_timestamp())
"""
_WITHDRAW = """
UPDATE hldctl.intents SET expires_at = clock_timestamp()
WHERE request = %s AND taken_at IS NULL AND done_at IS NULL
"""


class Progress(NamedTuple):
    """How far an intent is."""

    is_taken: bool
    """True if the machine has begun."""
    is_expired: bool
    """True if nothing will be done any more."""
    outcome: Outcome | None


class Caller(NamedTuple):
    """Who asks, by the record."""

    role: str
    expires_at: str
    """When an intent of now expires, by the server's clock."""


def caller(connection: Connection, valid_seconds: float) -> Caller:
    query = "SELECT session_user::text, to_json(clock_timestamp() + make_interval(secs => %s))"
    row = connection.execute(query, (valid_seconds,)).fetchall()[0]
    return Caller(row[0], json.loads(row[1]))


def ask(connection: Connection, intent: Intent, text: str, signature: str | None) -> None:
    """Write an intent, whose JSON is `text`, and announce it to the machine's link."""
    values = (intent.request, intent.machine_id, intent.session_id, intent.kind, text, intent.expires_at, signature)
    connection.execute(_INSERT, values)


def progress(connection: Connection, request: str) -> Progress:
    query = (
        "SELECT taken_at IS NOT NULL, expires_at <= clock_timestamp(), outcome FROM hldctl.intents WHERE request = %s"
    )
    rows = connection.execute(query, (request,)).fetchall()
    if not rows:
        return Progress(False, True, None)
    is_taken, is_late, outcome = rows[0]
    found = None if outcome is None else outcome_from_json(outcome)
    return Progress(is_taken, bool(is_late) and not is_taken and found is None, found)


def withdraw(connection: Connection, request: str) -> bool:
    """Take an intent back; return False if the machine has begun already."""
    return connection.execute(_WITHDRAW, (request,)).rowcount == 1


def channel(machine_id: str) -> str:
    """Return the channel on which the link of a machine hears of intents."""
    return f"hldctl_{machine_id.replace('-', '')}"


def open_intents(connection: Connection, machine_id: str, accept_from: list[str]) -> list[Asked]:
    """Return what a machine has not done yet, oldest first."""
    values: dict[str, Any] = {"machine": machine_id, "accept_from": accept_from, "limit": _MAX_OPEN}
    return [Asked(*row) for row in connection.execute(_OPEN, values).fetchall()]


def take(connection: Connection, request: str) -> bool:
    """Record that the machine begins; return False if the intent was withdrawn, or has expired."""
    return connection.execute(_TAKE, (request,)).rowcount == 1


def finish(connection: Connection, request: str, outcome: Outcome) -> None:
    """Record what came of an intent."""
    query = (
        "UPDATE hldctl.intents SET done_at = clock_timestamp(), outcome = %s, taken_at = coalesce(taken_at,"
        " clock_timestamp()) WHERE request = %s AND done_at IS NULL"
    )
    connection.execute(query, (outcome.to_json(), request))
