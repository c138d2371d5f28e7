"""The predecessors of a new session, and the references to them in its query, as a user types them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hldctl.errors import BadUsage, NoSuchSession, WrongState
from hldctl.paths import StateDirectory
from hldctl.protocol.dependencies import refusal_message
from hldctl.protocol.query_references import find_references
from hldctl.sessions import lookup, supervisors
from hldctl.sessions.options import SessionOptions
from hldctl.states import Condition
from hldctl.store.admission.predecessors import Predecessor, find_fault
from hldctl.store.database import open_database


class Predecessors(NamedTuple):
    """The predecessors of a new session."""

    all: tuple[Predecessor, ...]
    references: dict[str, str]
    """The ids of the sessions that the query refers to, by reference as typed."""

    @property
    def ids(self) -> list[str]:
        return [predecessor.id for predecessor in self.all]

    def as_objects(self) -> list[dict[str, str]] | None:
        """Return them as the column `after` has them."""
        return [predecessor.as_object() for predecessor in self.all] or None


def find_predecessors(state: StateDirectory, options: SessionOptions, query: str) -> Predecessors:
    """Return the predecessors that the options name, resolved to ids, so that a later change of a name does no harm.

    Raise NoSuchSession for an unknown one, WrongState if the session could never start because of one, and BadUsage if
    the query refers to a session that is not a predecessor.
    """
    referenced = list(dict.fromkeys(reference.session_ref for reference in find_references(query)))
    if not options.after and not options.after_any and not referenced:
        return Predecessors((), {})
    with open_database(state):
        ids = dict(_resolve(options))
        conditions = dict.fromkeys(ids.values(), Condition.ENDED) | {
            ids[ref]: Condition.COMPLETED for ref in options.after or ()
        }
        # One may have ended unnoticed.
        supervisors.adopt_lost(state, conditions)
        required = tuple(Predecessor(session_id, condition) for session_id, condition in conditions.items())
        if (fault := find_fault(required)) is not None:
            raise WrongState(refusal_message(fault))
        return Predecessors(required, dict(_resolve_references(referenced, ids)))


def _resolve(options: SessionOptions) -> Iterator[tuple[str, str]]:
    """Yield each reference to a predecessor with the id."""
    for ref in (*(options.after or ()), *(options.after_any or ())):
        try:
            yield ref, lookup.find_session(ref).id
        except NoSuchSession:
            if ref == options.name:
                raise BadUsage(f"{ref} is the name of the new session itself, which cannot wait for itself.") from None
            raise


def _resolve_references(referenced: list[str], ids: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each reference in the query with the id. Without predecessors, a text that names no session is left alone.

    It may be a program's text in braces.
    """
    for ref in referenced:
        session_id = ids.get(ref) or _find_id(ref)
        if session_id in ids.values():
            assert session_id is not None
            yield ref, session_id
        elif ids or session_id is not None:
            raise BadUsage(
                f"The query refers to {ref}, which is not a predecessor of the session; add --after {ref}, or write "
                "{{…}} with doubled braces for the text itself."
            )


def _find_id(ref: str) -> str | None:
    try:
        return lookup.find_session(ref).id
    except NoSuchSession:
        return None
