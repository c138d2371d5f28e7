"""Telling a damaged database from a fault of hldctl, when a command has met something that it cannot read."""

from __future__ import annotations

from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory
from hldctl.store.database import reading
from hldctl.store.recovery import integrity


def sentence(error: Exception) -> str | None:
    """Return what to tell the user if the database is damaged; None if the error is something else's."""
    if isinstance(error, OSError):
        return None
    try:
        state = StateDirectory.from_environment()
        if not state.database.exists():
            return None
        with reading(state):
            found = integrity.damage()
    except HldctlError as refusal:
        return str(refusal)
    return f"The database {state.database} is damaged: {found[0]}. Run `hldctl doctor --fix`." if found else None
