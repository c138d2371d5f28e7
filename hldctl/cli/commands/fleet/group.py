"""`hldctl fleet`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hldctl.cli import output
from hldctl.cli.commands.fleet import prune
from hldctl.cli.render.format import age
from hldctl.contract.machine import MachineObject
from hldctl.fleet.address import configured_url
from hldctl.paths import StateDirectory

if TYPE_CHECKING:
    from hldctl.fleet.record.machines import Machine

# A difference between two clocks that people notice.
_MAX_OFFSET_MS = 5000

Url = Annotated[
    str, typer.Argument(metavar="URL", help="The PostgreSQL database, such as 'host=db.example.org dbname=hldctl'.")
]


def command(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of machines.")] = False,
) -> None:
    """List the machines of the fleet, and let this machine join one.

    The machines of a fleet share a record of their sessions on PostgreSQL. Sessions never depend on it. `BEHIND` is how
    many changes a machine has that the record does not have yet.
    """
    if ctx.invoked_subcommand is not None:
        return
    # First, and without the driver, which may not be installed.
    configured_url()
    from hldctl.fleet import membership

    machines = membership.list_machines()
    if as_json:
        output.print_json([machine_object(machine) for machine in machines])
    elif not machines:
        output.print_note("no machines; `hldctl fleet join URL` lets this one join")
    else:
        output.print_table(("MACHINE", "OWNER", "RUNNING", "ROOM", "HEARD", "BEHIND", "VERSION"), _rows(machines))
    for machine in machines:
        if abs(machine.clock_offset_ms or 0) > _MAX_OFFSET_MS:
            _note_clock(machine)
    _note_problem()


def init(
    url: Url,
    members: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE", help="Let only the members of this PostgreSQL role use the record; PUBLIC for all."
        ),
    ] = None,
) -> None:
    """Make the tables of a record, or bring them up to date. Run it as the database's owner.

    All roles that may connect to the database are members of the fleet, unless --members is given; later calls without
    it change nothing of that.
    """
    from hldctl.fleet import membership

    made = membership.init(url, members)
    output.print_note("the record is ready" if made.migrations or members else "the record is up to date already")
    if not made.has_operators:
        output.print_note(
            "there are no operators, who see everything: for that, let an administrator run `CREATE ROLE "
            "hldctl_operator NOLOGIN`, then run this again, and grant the role"
        )


def join(
    url: Url,
    new_identity: Annotated[
        bool, typer.Option("--new-identity", help="Join as a new machine: this state directory is a copy of another's.")
    ] = False,
) -> None:
    """Let this machine join the fleet: from now on, the record gets all changes of its sessions.

    Passwords belong into ~/.pgpass; hldctl does not accept them here.
    """
    from hldctl.fleet import membership

    state = StateDirectory.from_environment()
    joined = membership.join(state, url, new_identity=new_identity)
    output.print_data(f"{joined.name}  {joined.machine_id}")


def leave() -> None:
    """Let this machine leave the fleet. The record keeps what it has of the sessions here."""
    from hldctl.fleet import membership

    membership.leave(StateDirectory.from_environment())


def forget(
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="A name, or the beginning of an id.")],
) -> None:
    """Record that a machine will not come back: its sessions that have not ended are lost.

    If it comes back, its own word counts.
    """
    from hldctl.fleet import membership

    forgotten, lost = membership.forget(machine)
    output.print_note(f"{output.one_line(forgotten.name)} is forgotten; {lost} of its sessions are lost")


def link() -> None:
    """Keep a link to the record in the foreground, also while nothing runs here.

    Without it, a link starts with the first session, and ends after the last one.
    """
    from hldctl.fleet.link import foreground

    foreground.run(StateDirectory.from_environment())


SUBCOMMANDS = {"init": init, "join": join, "leave": leave, "forget": forget, "prune": prune.command, "link": link}


def machine_object(machine: Machine) -> MachineObject:
    """Return the JSON object of a machine."""
    return {
        "id": machine.id,
        "name": machine.name,
        "owner": machine.owner,
        "running": machine.running,
        "room": _room(machine),
        "heard_seconds": round(machine.heard_seconds, 3),
        "unheard": machine.is_unheard,
        "behind": _missing(machine),
        "clock_offset_ms": machine.clock_offset_ms,
        "version": machine.about.get("version"),
    }


def _rows(machines: Sequence[Machine]) -> list[tuple[str, ...]]:
    return [
        (
            output.one_line(machine.label),
            output.one_line(machine.owner),
            str(machine.running),
            "" if (room := _room(machine)) is None else str(room),
            ("unheard " if machine.is_unheard else "") + age(machine.heard_seconds),
            str(_missing(machine)),
            str(machine.about.get("version", "")),
        )
        for machine in machines
    ]


def _room(machine: Machine) -> int | None:
    """Return how many more sessions may run there at once; None for any number."""
    most = machine.about.get("max_running")
    return None if most is None else max(0, int(most) - machine.running)


def _missing(machine: Machine) -> int:
    """Return how many changes the record did not have when the machine was last heard."""
    return max(0, int(machine.about.get("last_id", 0)) - machine.reached)


def _note_clock(machine: Machine) -> None:
    offset_ms = machine.clock_offset_ms or 0
    direction = "slow" if offset_ms > 0 else "fast"
    output.print_note(
        f"the clock of {output.one_line(machine.label)} is {age(abs(offset_ms) / 1000)} {direction}, compared with the "
        "server's; so the times of its sessions are"
    )


def _note_problem() -> None:
    """Print why the link of this machine cannot write, if so."""
    try:
        problem = StateDirectory.from_environment().fleet.problem.read_text().strip()
    except OSError:
        return
    output.print_note(f"the link of this machine waits: {problem}")
