"""Writing down how a session has ended, and telling all who wait for it."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.host.clock import now
from hldctl.host.paths import StateDirectory, touch
from hldctl.host.processes import ProcessIdentity
from hldctl.store import sessions
from hldctl.supervisor import row


def conclude(
    state: StateDirectory, session_id: str, ending: sessions.Ending, left_running: Sequence[ProcessIdentity] = ()
) -> None:
    files = state.session(session_id)
    sessions.end(session_id, ending, now(), left_running)
    row.keep_current(session_id, files)
    touch(files.changed)
    touch(state.queue)
