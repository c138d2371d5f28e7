"""Making a record, and joining and leaving a fleet."""

from __future__ import annotations

import os
from typing import NamedTuple

from hldctl.config.edit import remove_value, set_value
from hldctl.errors import BadUsage, NoSuchSession
from hldctl.fleet import identity
from hldctl.fleet.address import configured_url
from hldctl.fleet.record import machines
from hldctl.fleet.record import schema as record_schema
from hldctl.fleet.record.connection import open_record
from hldctl.fleet.record.machines import Machine
from hldctl.fleet.record.schema import Made
from hldctl.paths import StateDirectory
from hldctl.protocol import link
from hldctl.sessions.permissions import caller
from hldctl.store.database import open_database


def init(url: str, members: str | None = None) -> Made:
    """Make or update the record's tables, and decide which role may use them, if `members` is one or PUBLIC."""
    with open_record(url) as connection:
        return record_schema.init(connection, members)


class Joined(NamedTuple):
    """A machine that has joined a fleet."""

    name: str
    machine_id: str


def join(state: StateDirectory, url: str, *, new_identity: bool) -> Joined:
    """Let this machine join the fleet: check the record, configure it, and start the link."""
    caller.require_right(state, "Joining a fleet")
    with record_schema.open_current(url) as connection:
        if not new_identity and (known := link.known_machine_id(state)) is not None:
            machines.require_own(connection, known)
    with open_database(state):
        machine_id = link.join(state, new_identity=new_identity)
    set_value("fleet.url", url)
    link.start_if_missing(state)
    return Joined(os.uname().nodename, machine_id)


def leave(state: StateDirectory) -> None:
    """Let this machine leave its fleet; what the record has of its sessions stays there."""
    caller.require_right(state, "Leaving a fleet")
    if not state.fleet.has_joined:
        raise BadUsage("This machine is in no fleet.")
    url = configured_url()
    machine_id = state.fleet.machine_id.read_text().strip()
    identity.leave(state)
    remove_value("fleet")
    with open_record(url) as connection:
        machines.leave(connection, machine_id)


def list_machines() -> list[Machine]:
    with record_schema.open_current(configured_url()) as connection:
        return machines.list_machines(connection)


def forget(ref: str) -> tuple[Machine, int]:
    """Declare a machine and its live sessions lost; return it and how many these are."""
    with record_schema.open_current(configured_url()) as connection:
        found = machines.find_named(connection, ref)
        if len(found) > 1:
            names = " and ".join(machine.id for machine in found)
            raise NoSuchSession(f"{ref!r} is ambiguous: it matches {names}; give the id.")
        (machine,) = found
        return machine, machines.forget(connection, machine)
