"""Error message for an exception that a damaged database may have caused."""

from __future__ import annotations

from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory
from hldctl.store.database import open_for_reading
from hldctl.store.recovery import integrity


def damage_message(error: Exception) -> str | None:
    """Return an error message if the database is damaged; None if `error` has another cause."""
    if isinstance(error, OSError):
        return None
    try:
        state = StateDirectory.from_environment()
        if not state.database.exists():
            return None
        with open_for_reading(state):
            damage = integrity.find_problems()
    except HldctlError as unreadable:
        return str(unreadable)
    return f"The database {state.database} is damaged: {damage[0]}. Run `hldctl doctor --fix`." if damage else None
