"""The JSON objects of `fleet`."""

from __future__ import annotations

from typing import TypedDict


class MachineObject(TypedDict):
    """A machine of a fleet."""

    id: str
    """The machine's id, a UUID."""
    name: str
    """The machine's name."""
    owner: str
    """The user that its sessions belong to."""
    running: int
    """How many of its sessions have started and not ended."""
    room: int | None
    """How many more sessions may run there at once; null if their number is not limited."""
    heard_seconds: float
    """How long ago it was last heard, in seconds."""
    unheard: bool
    """True if it should be heard, and is not."""
    behind: int
    """How many changes the record did not have when the machine was last heard."""
    clock_offset_ms: int | None
    """How far its clock is ahead of the record's, in milliseconds; null if it is unknown."""
    version: str | None
    """Its version of hldctl; null if it is unknown."""


class RemovalObject(TypedDict):
    """What `fleet prune` removed from the record."""

    dry_run: bool
    """True if nothing was removed."""
    sessions: int
    """How many sessions."""
    months: list[str]
    """The whole months of events, each like `2026-11`."""
    intents: int
    """How many commands for other machines."""
    machines: list[str]
    """The names of machines that left."""
    busy_months: list[str]
    """The months whose events are in use and not removed yet."""
