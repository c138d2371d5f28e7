"""Sessions of other machines, for commands that show sessions: options, and the state directory to read.

Nothing of the fleet is loaded unless this machine is in one and a session is not here, or an option asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hldctl.cli import output
from hldctl.cli.render.format import age
from hldctl.contract.session import MachineRefObject, PlaceObject
from hldctl.errors import BadUsage, NoSuchSession, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.store.database import open_for_reading
from hldctl.store.session_list import Listing
from hldctl.system.clock import format_rfc3339

if TYPE_CHECKING:
    from hldctl.engines.engine import JobStatus
    from hldctl.fleet.record.machines import Machine
    from hldctl.fleet.record.placed import Place
    from hldctl.fleet.record.reading import Where
    from hldctl.fleet.replica.mirror import Mirror

# A list that shows this machine instead does not wait longer for the server.
_LIST_TIMEOUT_SECONDS = 3

InFleet = Annotated[bool, typer.Option("--fleet", help="Those of all machines of the fleet, see `hldctl fleet`.")]
InFleetOrNot = Annotated[
    bool | None,
    typer.Option(
        "--fleet/--no-fleet",
        help="Those of all machines of the fleet, see `hldctl fleet`, or of this one. Default: `fleet.listing`.",
        show_default=False,
    ),
]
OfMachine = Annotated[
    str | None, typer.Option("--machine", metavar="MACHINE", help="Those of this machine of the fleet.")
]
OfOwner = Annotated[str | None, typer.Option("--owner", metavar="NAME", help="Those of this owner in the fleet.")]


class Whose(NamedTuple):
    """Of which sessions of the fleet a list is."""

    machine: str | None
    owner: str | None
    is_default: bool
    """True if the configuration asks for the fleet: if the record cannot be read, the list is of this machine."""

    @property
    def timeout_seconds(self) -> int | None:
        return _LIST_TIMEOUT_SECONDS if self.is_default else None

    def where(self) -> Where:
        from hldctl.fleet.record.reading import Where

        return Where(self.machine, self.owner)


class View(NamedTuple):
    """What a command reads."""

    state: StateDirectory
    """The state directory, or a replica of sessions of other machines."""
    mirror: Mirror | None = None
    """Writes the replica; None for sessions of this machine."""

    def machine(self, session_id: str) -> Machine | None:
        """Return the machine of a session; None for one of this machine, and for one that no machine has yet."""
        return None if self.mirror is None else self.mirror.machine_of.get(session_id)

    def place(self, session_id: str) -> Place | None:
        """Return where an engine has a session; None if none has placed it."""
        return None if self.mirror is None else self.mirror.place_of.get(session_id)

    def job(self, session_id: str) -> JobStatus | None:
        """Return what the engine says of a session's job; None if it is not asked, or does not know it."""
        return None if self.mirror is None else self.mirror.job_of.get(session_id)


@contextmanager
def find(refs: Sequence[str]) -> Iterator[View]:
    """Yield where to read the sessions that these references name: here, or else in the record of the fleet."""
    state = StateDirectory.from_environment()
    missing = find_missing(state, refs) if state.fleet.has_joined else None
    with _here_or_replica(state, refs, missing) as view:
        yield view


@contextmanager
def _here_or_replica(state: StateDirectory, refs: Sequence[str], missing: NoSuchSession | None) -> Iterator[View]:
    """Yield this machine's state directory; with `missing`, a replica of the sessions that these references name."""
    if missing is None:
        yield View(state)
        return
    from hldctl.fleet.replica.view import replica_of

    with replica_of(state, refs, missing, output.print_note) as mirror:
        yield View(mirror.state, mirror)


def missing(state: StateDirectory, refs: Sequence[str]) -> list[str]:
    """Return those of these references that name no session here."""
    return [ref for ref in refs if find_missing(state, [ref]) is not None]


def find_missing(state: StateDirectory, refs: Sequence[str]) -> NoSuchSession | None:
    """Return the error for the first reference that names no session here; None if all do."""
    from hldctl.sessions import lookup

    with open_for_reading(state):
        for ref in refs:
            try:
                lookup.find_session(ref)
            except NoSuchSession as error:
                return None if ref == "last" else error
    return None


@contextmanager
def list_view(whose: Whose | None, listing: Listing, *, with_texts: bool, follows: bool = False) -> Iterator[View]:
    """Yield where to list sessions: here, or, with `whose`, in a replica of those that match; see `replica_of_list`."""
    state = StateDirectory.from_environment()

    def replica(asked: Whose) -> AbstractContextManager[Mirror]:
        from hldctl.fleet.replica.view import replica_of_list

        return replica_of_list(
            state, listing, asked.where(), asked.timeout_seconds, with_texts=with_texts, follows=follows
        )

    with _fleet_or_here(state, whose, replica) as view:
        yield view
        if view.mirror is not None:
            _note_private(state, whose)


@contextmanager
def live_view(whose: Whose | None) -> Iterator[View]:
    """Yield where to watch the sessions that have not ended: here, or, with `whose`, in a replica that follows them."""
    state = StateDirectory.from_environment()

    def replica(asked: Whose) -> AbstractContextManager[Mirror]:
        from hldctl.fleet.replica.view import replica_of_live

        return replica_of_live(state, asked.where(), asked.timeout_seconds)

    with _fleet_or_here(state, whose, replica) as view:
        yield view


@contextmanager
def request_view(whose: Whose | None, refs: Sequence[str], *, answered_too: bool) -> Iterator[View]:
    """Yield where to list permission requests: here, or in a replica of the sessions that have or are named."""
    state = StateDirectory.from_environment()

    def replica(asked: Whose) -> AbstractContextManager[Mirror]:
        from hldctl.fleet.replica.view import replica_of_requests

        return replica_of_requests(state, asked.where(), asked.timeout_seconds, answered_too=answered_too)

    if whose is not None:
        with _fleet_or_here(state, whose, replica) as view:
            yield view
            if view.mirror is not None:
                _note_private(state, whose)
        return
    missing = _missing_request(state, refs) if refs and state.fleet.has_joined else None
    with _here_or_replica(state, refs, missing) as view:
        yield view


@contextmanager
def _fleet_or_here(
    state: StateDirectory, whose: Whose | None, replica: Callable[[Whose], AbstractContextManager[Mirror]]
) -> Iterator[View]:
    """Yield a replica; without `whose`, or if the fleet is only the default and cannot be read, what is here."""
    mirror = None
    with ExitStack() as stack:
        if whose is not None:
            try:
                mirror = stack.enter_context(replica(whose))
            except UnfitEnvironment as error:
                if not whose.is_default:
                    raise
                output.print_note(f"only those of this machine: {error}")
        yield View(state) if mirror is None else View(mirror.state, mirror)


def _note_private(state: StateDirectory, whose: Whose | None) -> None:
    """Print how many sessions of this machine are not in a list that was not asked for."""
    if whose is None or not whose.is_default:
        return
    # Imported here: a list of this machine has them.
    from hldctl.store import sessions

    with open_for_reading(state):
        count = sessions.count_live_private()
    if count:
        output.print_note(
            f"without {count} private session{'' if count == 1 else 's'} of this machine; --no-fleet lists it"
        )


def _missing_request(state: StateDirectory, refs: Sequence[str]) -> NoSuchSession | None:
    # Imported here: only the list of requests needs it.
    from hldctl.sessions.permissions import requests

    try:
        requests.resolve_targets(state, refs)
    except NoSuchSession as error:
        return error
    return None


def whose(fleet: bool | None, machine: str | None, owner: str | None, *, can_list: bool = True) -> Whose | None:
    """Return of which sessions a list is, by its options and the configuration; None for those of this machine.

    Without `can_list`, the list is of the fleet only if an option says so.
    """
    if machine is not None or owner is not None:
        if fleet is False:
            raise BadUsage("--no-fleet lists this machine; --machine and --owner are for the fleet.")
        return Whose(machine, owner, is_default=False)
    if fleet is not None:
        return Whose(None, None, is_default=False) if fleet else None
    return Whose(None, None, is_default=True) if can_list and _lists_fleet() else None


def _lists_fleet() -> bool:
    """Return whether lists show the fleet if no option says so."""
    if not StateDirectory.from_environment().fleet.has_joined:
        return False
    # Imported here: only a machine of a fleet needs it.
    from hldctl.config import schema

    settings = schema.load().fleet
    return settings is not None and settings.listing


def where(fleet: bool, machine: str | None, owner: str | None) -> Where | None:
    """Return whose sessions the options ask for; None for those of this machine."""
    if not fleet and machine is None and owner is None:
        return None
    from hldctl.fleet.record.reading import Where

    return Where(machine, owner)


def session_machine(view: View, session_id: str) -> MachineRefObject | None:
    """Return the JSON object of the machine of a session in a view."""
    owner = None if view.mirror is None else view.mirror.owner_of.get(session_id)
    return machine_object(view.machine(session_id), owner)


def place_object(view: View, session_id: str) -> PlaceObject | None:
    """Return the JSON object of where an engine has a session; None if none has placed it."""
    if (place := view.place(session_id)) is None:
        return None
    job = view.job(session_id)
    state, reason, node = (None, None, None) if job is None else (job.word, job.reason, job.node)
    return {
        "engine": place.engine,
        "job": place.job,
        "cluster": place.cluster,
        "user": place.user,
        "state": state,
        "reason": reason,
        "node": node,
    }


def place_text(view: View, session_id: str) -> str:
    """Return where an engine has a session, and what it says of the job; an empty text if none has placed it."""
    if (place := view.place(session_id)) is None:
        return ""
    text = f"{place.engine} {place.job or '?'}"
    if (job := view.job(session_id)) is not None:
        node = f" on {job.node}" if job.node else ""
        text += f" ({job.word.lower()}{f': {job.reason}' if job.reason else ''}{node})"
    return output.one_line(text)


def machine_object(machine: Machine | None, owner: str | None) -> MachineRefObject | None:
    """Return the JSON object of a session's machine; None for a session of this machine."""
    if machine is None:
        return None
    return {"id": machine.id, "name": machine.name, "owner": owner, "unheard_since": _unheard_since(machine)}


def _unheard_since(machine: Machine) -> str | None:
    """Return when a machine was last heard that should be heard; None for one that is heard, or rests."""
    return format_rfc3339(int((time.time() - machine.heard_seconds) * 1000)) if machine.is_unheard else None


def describe(machine: Machine) -> str:
    """Return the machine's name, and for how long it has been silent if it should not be."""
    return output.one_line(machine.label) + silence(machine)


def machine_name(view: View, session_id: str) -> str:
    """Return the name of a session's machine, as `describe` does, or else where an engine has it.

    The text is empty for a session of this machine.
    """
    machine = view.machine(session_id)
    return place_text(view, session_id) if machine is None else describe(machine)


def silence(machine: Machine | None) -> str:
    """Return for how long a machine has been silent, in parentheses; an empty text if it is heard."""
    if machine is None or not machine.is_unheard:
        return ""
    return f" (unheard for {age(machine.heard_seconds)})"


def watch_for_loss(view: View, ids: Sequence[str], lost_after: float | None) -> Callable[[], None]:
    """Return a function that prints a note when a machine falls silent, and raises UnfitEnvironment if for too long."""
    noted: set[str] = set()

    def look() -> None:
        for session_id in ids:
            machine = view.machine(session_id)
            if machine is None or not machine.is_unheard:
                noted.discard(session_id)
                continue
            if lost_after is not None and machine.heard_seconds >= lost_after:
                raise UnfitEnvironment(
                    f"Session {session_id} may be lost: its machine {output.one_line(machine.name)} has been unheard "
                    f"for {age(machine.heard_seconds)}."
                )
            if session_id not in noted:
                noted.add(session_id)
                output.print_note(f"{session_id[:8]} is on {describe(machine)}; what it does now is unknown")

    return look
