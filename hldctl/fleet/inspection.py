"""What `hldctl doctor` asks the record about this machine's part in the fleet."""

from __future__ import annotations

import time
from typing import NamedTuple

from hldctl.config.fleet import FleetSettings
from hldctl.fleet.record import machines, schema
from hldctl.fleet.record.connection import Connection, open_record

_TIMEOUT_SECONDS = 5
_VERIFYING = "verify-full"


class Inspection(NamedTuple):
    """What the record says."""

    role: str
    """The role that this machine connects as."""
    is_local: bool
    """True if the server is reached by a socket of this machine."""
    is_encrypted: bool
    sslmode: str
    owns_machine: bool | None
    """Whether this machine is one of the role; None if the record does not have it yet."""
    clock_offset_ms: int
    """How much later the server's clock is than this machine's."""
    missing_roles: tuple[str, ...]
    """The roles of the configuration that the server does not have."""
    is_in_team: bool
    """True also without a team."""

    @property
    def is_verified(self) -> bool:
        """True if the server has proved its name, or has not to."""
        return self.is_local or self.sslmode == _VERIFYING


def inspect(settings: FleetSettings, machine_id: str) -> Inspection:
    """Ask the record; raise UnfitEnvironment if it cannot be reached or used, or has to be updated."""
    with open_record(settings.url, _TIMEOUT_SECONDS) as connection:
        schema.require_current(connection)
        options = {option.keyword: option.val for option in connection.pgconn.info}
        return Inspection(
            role=connection.info.user,
            is_local=connection.info.host.startswith("/"),
            is_encrypted=connection.pgconn.ssl_in_use,
            sslmode=(options.get(b"sslmode") or b"").decode(),
            owns_machine=machines.owns(connection, machine_id),
            clock_offset_ms=_clock_offset_ms(connection),
            missing_roles=_missing_roles(connection, settings),
            is_in_team=settings.team is None or machines.is_in_team(connection, settings.team),
        )


def _clock_offset_ms(connection: Connection) -> int:
    before = time.time()
    server_time = float(connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchall()[0][0])
    # The answer was given about halfway.
    return round((server_time - (before + time.time()) / 2) * 1000)


def _missing_roles(connection: Connection, settings: FleetSettings) -> tuple[str, ...]:
    named = sorted({*settings.accept_from, *([] if settings.team is None else [settings.team])})
    query = "SELECT name FROM unnest(%s::text[]) AS name WHERE name NOT IN (SELECT rolname::text FROM pg_roles)"
    return tuple(row[0] for row in connection.execute(query, (named,)).fetchall())
