"""A link in the foreground, which stays while nothing runs."""

from __future__ import annotations

from hldctl.errors import WrongState
from hldctl.fleet.link import link
from hldctl.paths import StateDirectory
from hldctl.system import file_lock

# A link that nothing needs any more ends within this time.
_LOCK_SECONDS = 5.0


def run(state: StateDirectory) -> None:
    """Run a link until this machine leaves the fleet; raise WrongState if another one runs."""
    if not state.fleet.has_joined:
        raise WrongState("This machine is in no fleet; `hldctl fleet join URL` lets it join one.")
    if file_lock.acquire_quickly(state.fleet.lock, _LOCK_SECONDS) is None:
        raise WrongState("Another link runs here, as long as sessions do; try again when they have ended.")
    link.run(state, stays=True)
