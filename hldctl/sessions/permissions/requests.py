"""From what a user types to permission requests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hldctl.errors import NoSuchSession, WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup
from hldctl.store import approvals, sessions
from hldctl.store.approvals import Approval
from hldctl.store.connection import current
from hldctl.store.database import UNWRITABLE, opened, reading
from hldctl.supervisor.pending_hooks import expire_unheard


@dataclass
class Named:
    """What words name: sessions, and single requests."""

    sessions: list[str] = field(default_factory=list)
    requests: list[Approval] = field(default_factory=list)


def named(state: StateDirectory, words: Sequence[str]) -> Named:
    """Return the session or the request that each word names.

    Raises NoSuchSession for one that names nothing, or both.
    """
    with reading(state):
        with suppress(*UNWRITABLE):
            expire_unheard(state)
        found = Named()
        for word in words:
            ids = ids_with_prefix(word.lower())
            if not ids:
                found.sessions.append(lookup.find_session(word).id)
                continue
            if (session_id := _session(word)) is not None:
                raise NoSuchSession(
                    f"{word!r} is ambiguous: the session {session_id} and the request {ids[0]}; give more of the id."
                )
            if len(ids) > 1:
                raise NoSuchSession(f"{word!r} is ambiguous: the requests {' and '.join(ids)}; give more of the id.")
            if (request := approvals.get(current(), ids[0])) is not None:
                found.requests.append(request)
        return found


def ids_with_prefix(word: str) -> list[str]:
    """Return the ids of the requests that a word may name: two at the most, none for a word that is too short."""
    return approvals.ids_with_prefix(current(), word) if len(word) >= lookup.SHORTEST_PREFIX else []


def _session(word: str) -> str | None:
    """Return a session that goes by that name or begins like that."""
    return sessions.newest_with_name(word) or next(iter(sessions.ids_with_prefix(word.lower())), None)


def only_one_of(state: StateDirectory, session: str) -> str:
    """Return the id of the request that the session waits for.

    Raises WrongState unless it is exactly one.
    """
    with opened(state):
        session_id = lookup.find_session(session).id
        expire_unheard(state, session_id)
        waiting = approvals.pending(current(), session_id)
    if not waiting:
        raise WrongState(f"Session {session_id} waits for no permission.")
    if len(waiting) > 1:
        ids = ", ".join(request.id for request in waiting)
        raise WrongState(f"Session {session_id} waits for {len(waiting)} permissions: say --all, or name one of {ids}.")
    return waiting[0].id
