"""References to sessions and permission requests, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hldctl.errors import NoSuchSession, WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup
from hldctl.sessions.inspect.tool_calls import key_input
from hldctl.store import approvals, sessions
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.database import UNWRITABLE, open_database, open_for_reading
from hldctl.supervisor.hooks.pending_hooks import expire_abandoned

# Characters of an argument in a message that lists requests.
_MAX_SUMMARY = 60


@dataclass
class NamedTargets:
    """The sessions and single requests that references name."""

    sessions: list[str] = field(default_factory=list)
    requests: list[Approval] = field(default_factory=list)


def resolve_targets(state: StateDirectory, refs: Sequence[str]) -> NamedTargets:
    """Return the sessions and requests that these references name.

    Raise NoSuchSession if one does not match anything, or matches both a session and a request.
    """
    with open_for_reading(state):
        with suppress(*UNWRITABLE):
            expire_abandoned(state)
        targets = NamedTargets()
        for ref in refs:
            ids = request_ids_with_prefix(ref.lower())
            if not ids:
                targets.sessions.append(lookup.find_session(ref).id)
                continue
            if (session_id := _matching_session(ref)) is not None:
                raise NoSuchSession(
                    f"{ref!r} is ambiguous: it matches the session {session_id} and the request {ids[0]}; "
                    "type more of the id."
                )
            if len(ids) > 1:
                raise NoSuchSession(
                    f"{ref!r} is ambiguous: it matches the requests {' and '.join(ids)}; type more of the id."
                )
            if (request := approvals.get(current_connection(), ids[0])) is not None:
                targets.requests.append(request)
        return targets


def request_ids_with_prefix(ref: str) -> list[str]:
    """Return the ids of the requests that match the prefix: two at most, none if it is too short."""
    return approvals.ids_with_prefix(current_connection(), ref) if len(ref) >= lookup.MIN_PREFIX_LENGTH else []


def _matching_session(ref: str) -> str | None:
    """Return the id of a session with this name or id prefix; None if there is none."""
    return sessions.id_with_name(ref) or next(iter(sessions.ids_with_prefix(ref.lower())), None)


def only_pending_request(state: StateDirectory, session: str) -> str:
    """Return the id of the session's only pending request.

    Raise WrongState unless there is exactly one.
    """
    with open_database(state):
        session_id = lookup.find_session(session).id
        expire_abandoned(state, session_id)
        pending = approvals.pending_approvals(current_connection(), session_id)
    if not pending:
        raise WrongState(f"Session {session_id} has no pending permission request.")
    if len(pending) > 1:
        listed = ", ".join(f"{request.id} ({_summary(request)})" for request in pending)
        raise WrongState(
            f"Session {session_id} has {len(pending)} pending permission requests: name one of them or use --all: "
            f"{listed}."
        )
    return pending[0].id


def _summary(request: Approval) -> str:
    """Return the tool and the start of its most informative argument."""
    text = key_input(json.loads(request.tool_input))[1] or request.tool_input
    line = " ".join(text.split())
    return f"{request.tool_name} {line if len(line) <= _MAX_SUMMARY else f'{line[: _MAX_SUMMARY - 1]}…'}"
