"""The session within which another one is launched."""

from __future__ import annotations

from hldctl.paths import StateDirectory
from hldctl.protocol.enclosing import enclosing_sessions
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.store import sessions


def find_launchers(request: LaunchRequest, state: StateDirectory) -> list[str] | None:
    """Return the sessions that a new one is launched within, the nearest last; None if a person launches it.

    The launching command is a parent of this process, and waits for it. Needs an open database.
    """
    enclosing = [] if request.is_users_command else enclosing_sessions(state, request.marker)
    if not enclosing:
        return None
    launcher = sessions.get(enclosing[0])
    return [*((launcher and launcher.launchers) or ()), enclosing[0]]
