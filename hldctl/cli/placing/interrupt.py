"""`interrupt` of sessions that wait in an engine: no machine has them yet."""

from __future__ import annotations

from hldctl.config import schema


def interrupt_waiting(ref: str, *, await_end: bool = True) -> str | None:
    """Interrupt the session that this reference names in the fleet's record if no machine has it yet; return its id.

    Return None for any other session. Raise UnfitEnvironment if its engine cannot be asked from here.
    """
    if (fleet := schema.load().fleet) is None:
        return None
    # Imported here: the driver of PostgreSQL takes as long as the rest.
    from hldctl.fleet.placing import cancel
    from hldctl.fleet.record.schema import open_current

    with open_current(fleet.url) as record:
        if (waiting := cancel.find_waiting(record, ref)) is None:
            return None
        cancel.cancel(record, waiting, await_end=await_end)
    return waiting.id
