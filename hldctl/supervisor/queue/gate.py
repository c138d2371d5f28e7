"""What a running session learns about its account: the API answers it, or refuses it."""

from __future__ import annotations

from hldctl.ingest.state import ReducerState
from hldctl.paths import StateDirectory
from hldctl.states import GateKind
from hldctl.store.admission import limits
from hldctl.store.admission.limits import Refusal, account_of
from hldctl.store.session import Session
from hldctl.supervisor.queue.wake import load_rules, wake_next, wake_startable
from hldctl.system.clock import current_time_ms

# Of Claude Code's message.
_MAX_REASON_LENGTH = 300


class GateWatcher:
    """Closes and opens the gate of a session's account, once for each change in its journal.

    That comes before the end of the session is recorded, so that no session starts in between.
    """

    def __init__(self, state: StateDirectory, session: Session) -> None:
        self._state = state
        self._session_id: str = session.id
        self._account = account_of(session.id, session.account)
        self._seen: tuple[bool, GateKind | None] = (False, None)

    def look(self, state: ReducerState) -> None:
        """Compare the journal with the last look. Needs an open database."""
        seen = state.has_answer, state.refusal
        if seen == self._seen:
            return
        self._seen = seen
        if seen[1] is not None:
            self._close(seen[1], state)
        elif seen[0] and limits.open_after(self._account, self._session_id, load_rules().spread_ms, current_time_ms()):
            wake_next(self._state, self._account)
            wake_startable(self._state)

    def _close(self, kind: GateKind, state: ReducerState) -> None:
        reason = " ".join((state.result_content or "").split())[:_MAX_REASON_LENGTH]
        resets_at = state.limit_resets_at if kind is GateKind.USAGE else None
        limits.close(self._session_id, self._account, Refusal(kind, reason, resets_at), current_time_ms())
