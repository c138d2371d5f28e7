"""The machines of a fleet in the record."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hldctl.errors import NoSuchSession, UnfitEnvironment
from hldctl.fleet.identity import Identity
from hldctl.fleet.record.connection import Connection, NotAllowed
from hldctl.fleet.record.members import OPERATOR

LEASE_SECONDS = 30
_SHORT_ID = 4


class Machine(NamedTuple):
    """A machine, as the record knows it. Ages are by the server's clock."""

    id: str
    name: str
    owner: str
    running: int
    """How many of its sessions have not ended."""
    heard_seconds: float
    """How long ago its link last wrote."""
    is_unheard: bool
    """True if its link should write and does not: what its live sessions do is unknown."""
    is_resting: bool
    """True if no link runs there since nothing does."""
    has_left: bool
    reached: int
    clock_offset_ms: int | None
    """How much later the server's clock was than the machine's when its link connected."""
    has_namesake: bool
    """True if another machine of the fleet has the same name."""
    about: dict[str, Any]

    @property
    def label(self) -> str:
        """The name, with the beginning of the id if another machine has the same name."""
        return f"{self.name}~{self.id[:_SHORT_ID]}" if self.has_namesake else self.name


_SELECT = """
SELECT id, name, owner,
    (SELECT count(*) FROM hldctl.sessions s WHERE s.machine_id = m.id AND s.completed_at IS NULL),
    extract(epoch FROM clock_timestamp() - seen_at)::float8,
    lease > interval '0' AND seen_at + lease < clock_timestamp(), lease = interval '0',
    left_at IS NOT NULL, reached, clock_offset_ms,
    EXISTS (SELECT 1 FROM hldctl.machines o WHERE o.name = m.name AND o.id <> m.id AND o.left_at IS NULL), about
FROM hldctl.machines m
"""


def list_machines(connection: Connection) -> list[Machine]:
    """Return all machines that have not left, by name."""
    return _machines(connection, f"{_SELECT} WHERE left_at IS NULL ORDER BY name, id")


def find_machines(connection: Connection, ids: list[str]) -> dict[str, Machine]:
    """Return these machines by id."""
    return {machine.id: machine for machine in _machines(connection, f"{_SELECT} WHERE id = ANY(%s::uuid[])", ids)}


def find_named(connection: Connection, ref: str) -> list[Machine]:
    """Return the machines with this name, or with an id that begins like this; raise NoSuchSession if there is none."""
    query = f"{_SELECT} WHERE name = %s OR starts_with(id::text, %s) ORDER BY id"
    if not (found := _machines(connection, query, ref, ref.lower())):
        raise NoSuchSession(f"No machine {ref!r} in the fleet; `hldctl fleet` lists the machines.")
    return found


def _machines(connection: Connection, query: str, *values: Any) -> list[Machine]:
    rows = connection.execute(query, values).fetchall()
    return [Machine._make((*row[:-1], json.loads(row[-1] or "{}"))) for row in rows]


class Registration(NamedTuple):
    """What a link gets when it connects."""

    epoch: int
    reached: int
    is_new_life: bool


# A copy of the state directory, while the original writes, is refused: no row is returned.
_REGISTER = """
INSERT INTO hldctl.machines AS m (id, name, life, place, epoch, lease, clock_offset_ms, team)
VALUES (%(machine_id)s, %(name)s, %(life)s, %(place)s, 1, make_interval(secs => %(lease)s),
    extract(epoch FROM clock_timestamp()) * 1000 - %(now)s, %(team)s)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, epoch = m.epoch + 1, life = excluded.life, place = excluded.place,
    reached = CASE WHEN m.life = excluded.life THEN m.reached ELSE 0 END, seen_at = clock_timestamp(),
    lease = excluded.lease, left_at = NULL, clock_offset_ms = excluded.clock_offset_ms, team = excluded.team
WHERE m.place = excluded.place OR m.place IS NULL OR m.seen_at + m.lease < clock_timestamp()
RETURNING epoch, reached
"""


def register(connection: Connection, identity: Identity, now_ms: int, team: str | None = None) -> Registration | None:
    """Register a link as the one that writes for its machine; return None if another machine has its UUID.

    If the local database is not the one that was written before, the record's changes of this machine are removed:
    their ids were those of the former database. The sessions of the machine are of its team, also those that are there.
    """
    require_own(connection, identity.machine_id)
    with connection.transaction():
        known = connection.execute(
            "SELECT life, team FROM hldctl.machines WHERE id = %s FOR UPDATE", (identity.machine_id,)
        ).fetchone()
        values = {**identity._asdict(), "now": now_ms, "lease": LEASE_SECONDS, "team": team}
        row = connection.execute(_REGISTER, values).fetchone()
        if row is None:
            return None
        is_new_life = known is not None and known[0] != identity.life
        if is_new_life:
            connection.execute("DELETE FROM hldctl.changes WHERE machine_id = %s", (identity.machine_id,))
        if known is not None and known[1] != team:
            query = "UPDATE hldctl.sessions SET team = %s WHERE machine_id = %s"
            connection.execute(query, (team, identity.machine_id))
    return Registration(row[0], row[1], is_new_life)


def require_own(connection: Connection, machine_id: str) -> None:
    """Raise UnfitEnvironment if the record has this machine as one of another role."""
    if owns(connection, machine_id) is False:
        raise UnfitEnvironment(
            f"The record has this machine as one of another role than {connection.info.user}: connect as that role, or "
            "join as a new machine with `hldctl fleet join --new-identity`."
        )


def owns(connection: Connection, machine_id: str) -> bool | None:
    """Return whether a machine is one of the role of this connection; None if the record does not have it."""
    owned: bool | None = connection.execute("SELECT hldctl.owns(%s)", (machine_id,)).fetchall()[0][0]
    return owned


def is_in_team(connection: Connection, team: str) -> bool:
    """Return whether the role of this connection is a member of a team."""
    return bool(connection.execute("SELECT %s = ANY (hldctl.teams())", (team,)).fetchall()[0][0])


def beat(connection: Connection, machine_id: str, epoch: int, about: dict[str, Any]) -> bool:
    """Record that the machine is heard; return False if another link writes for it."""
    query = "UPDATE hldctl.machines SET seen_at = clock_timestamp(), about = %s WHERE id = %s AND epoch = %s"
    return connection.execute(query, (json.dumps(about), machine_id, epoch)).rowcount == 1


def rest(connection: Connection, machine_id: str, epoch: int) -> None:
    """Record that the link ends since nothing runs on the machine: nobody has to hear of it."""
    query = "UPDATE hldctl.machines SET seen_at = clock_timestamp(), lease = '0' WHERE id = %s AND epoch = %s"
    connection.execute(query, (machine_id, epoch))


def leave(connection: Connection, machine_id: str) -> None:
    """Record that a machine has left the fleet; its sessions stay."""
    query = "UPDATE hldctl.machines SET left_at = clock_timestamp(), lease = '0' WHERE id = %s"
    connection.execute(query, (machine_id,))


def forget(connection: Connection, machine: Machine) -> int:
    """Record that a machine will not come back; return how many of its sessions are lost with it.

    Raise UnfitEnvironment if it is one of another role.
    """
    try:
        return int(connection.execute("SELECT hldctl.forget(%s)", (machine.id,)).fetchall()[0][0])
    except NotAllowed:
        raise UnfitEnvironment(
            f"The machine {machine.label} is one of {machine.owner}; only that role and members of {OPERATOR} can "
            "forget it."
        ) from None


def declare_lost(connection: Connection, machine_id: str, session_ids: list[str]) -> None:
    """Record that these sessions of a machine are lost, as far as they have not ended."""
    connection.execute("SELECT hldctl.declare_lost(%s, %s::uuid[])", (machine_id, session_ids))


def live_session_ids(connection: Connection, machine_id: str) -> list[str]:
    """Return the ids of the sessions of a machine that have not ended, as far as the record knows."""
    query = "SELECT id FROM hldctl.sessions WHERE machine_id = %s AND completed_at IS NULL"
    return [row[0] for row in connection.execute(query, (machine_id,)).fetchall()]
