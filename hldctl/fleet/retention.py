"""Retention of the record: what is removed from it, for how long it keeps sessions, is for its owner to decide."""

from __future__ import annotations

from collections.abc import Iterator

from hldctl.fleet.address import configured_url
from hldctl.fleet.record import pruning
from hldctl.fleet.record import schema as record_schema
from hldctl.fleet.record.pruning import Removal
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import caller


def prune(
    state: StateDirectory, url: str | None, *, older_than_seconds: float, only_events: bool, dry_run: bool
) -> Iterator[Removal]:
    """Remove from the record what ended longer ago than this, and yield what each step removed.

    `url` is the record's address; None for the configured one. With `only_events`, sessions stay without their
    conversations. With `dry_run`, yield what would be removed.
    """
    if not dry_run:
        caller.require_right(state, "Pruning the record of a fleet")
    with record_schema.open_current(url or configured_url()) as connection:
        pruning.require_owner(connection)
        limit = pruning.limit_of_age(connection, older_than_seconds, only_events=only_events)
        yield from (pruning.count(connection, limit),) if dry_run else pruning.remove(connection, limit)
