"""The connection to the record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hldctl.config.fleet import has_password
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.fleet.record.driver import TextLoader, conninfo, psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
Disconnected = psycopg.OperationalError
"""Raised when an open connection is lost."""
NotAllowed = psycopg.errors.InsufficientPrivilege

_DEFAULTS: dict[str, Any] = {
    "connect_timeout": 10,
    # A connection that is cut is noticed after 10 s.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}


class Unreachable(UnfitEnvironment):
    """A record that cannot be reached or used now."""


def connect(url: str, application: str = "hldctl", timeout_seconds: int | None = None) -> Connection:
    """Open a connection to the record; raise Unreachable if that fails. The server lists it as `application`.

    The server has to prove who it is, unless it is reached by a socket of this machine or the address has an `sslmode`.
    `timeout_seconds` is for each address of the server, at least 2; None for that of the address, or else the default.
    """
    parameters = {"application_name": application, **_parameters(url)}
    if timeout_seconds is not None:
        parameters["connect_timeout"] = timeout_seconds
    try:
        # Simple statements are sent more than once: prepared on the server, with a pooler in between, they would fail.
        connection = psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)
        connection.adapters.register_loader("uuid", TextLoader)
        connection.adapters.register_loader("json", TextLoader)
    except psycopg.Error as error:
        raise Unreachable(f"The fleet's record cannot be reached: {one_sentence(error)}") from error
    return connection


def _parameters(url: str) -> dict[str, Any]:
    refusal = "The address must not contain a password; put it into ~/.pgpass, or use a certificate."
    if has_password(url):
        raise BadUsage(refusal)
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise BadUsage(f"{url!r} is not an address of PostgreSQL: {one_sentence(error)}") from None
    if {"password", "sslpassword"} & given.keys():
        raise BadUsage(refusal)
    parameters = {**_DEFAULTS, **given}
    # Also without a host, which may come from the environment or a service file; libpq ignores it for a local socket.
    if "sslmode" not in given and "PGSSLMODE" not in os.environ:
        parameters["sslmode"] = "verify-full"
        if "PGSSLROOTCERT" not in os.environ and not os.path.exists(os.path.expanduser("~/.postgresql/root.crt")):
            parameters.setdefault("sslrootcert", "system")
    return parameters


@contextmanager
def open_record(url: str, timeout_seconds: int | None = None) -> Iterator[Connection]:
    """Open a connection for the block; raise Unreachable also if it is lost in the block, or a query is refused."""
    connection = connect(url, timeout_seconds=timeout_seconds)
    try:
        yield connection
    except psycopg.Error as error:
        raise Unreachable(f"The fleet's record cannot be used: {one_sentence(error)}") from error
    finally:
        connection.close()


def one_sentence(error: Exception) -> str:
    """Return the first line of the server's message, ended by a full stop."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".:") + "."
