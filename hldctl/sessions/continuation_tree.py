"""Sessions as the families that continuations make of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hldctl.store.session import Session


def by_family(sessions: Sequence[Session]) -> Iterator[tuple[int, Session]]:
    """Each session with its depth, a parent before its children; one whose parent is not among them stands first.

    First ones keep their order, children come oldest first.
    """
    present = {session.id for session in sessions}
    children: dict[str | None, list[Session]] = {}
    for session in sessions:
        parent = session.parent_session_id if session.parent_session_id in present else None
        children.setdefault(parent, []).append(session)
    waiting = [(0, session) for session in reversed(children.get(None, []))]
    while waiting:
        depth, session = waiting.pop()
        yield depth, session
        younger_first = sorted(children.get(session.id, []), key=lambda child: child.created_at, reverse=True)
        waiting += [(depth + 1, child) for child in younger_first]
