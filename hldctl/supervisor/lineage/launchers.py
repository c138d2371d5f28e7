"""The session within which another one is launched."""

from __future__ import annotations

from dataclasses import replace

from hldctl.paths import StateDirectory
from hldctl.protocol.enclosing import enclosing_sessions
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.store import sessions


def add_launchers(request: LaunchRequest, state: StateDirectory) -> LaunchRequest:
    """Return the request with the sessions that it is launched within; unchanged if a person launches it.

    The launching command is a parent of this process, and waits for it. Needs an open database.
    """
    enclosing = [] if request.is_users_command else enclosing_sessions(state, request.marker)
    if not enclosing:
        return request
    launcher = sessions.get(enclosing[0])
    with_right = sessions.ids_with_right_to_answer(enclosing)
    without_right = next((session_id for session_id in enclosing if session_id not in with_right), None)
    return replace(
        request,
        launchers=[*((launcher and launcher.launchers) or ()), enclosing[0]],
        # Of a continuation, the commands may be inherited from a session whose launcher chose them.
        launched_within=without_right or request.launched_within,
    )
