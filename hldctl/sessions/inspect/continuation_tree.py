"""Sessions as trees of continuations, and of sessions that start after others."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from hldctl.store.session import Session


def walk_tree(sessions: Sequence[Session]) -> Iterator[tuple[int, Session]]:
    """Yield each session with its depth, a parent before its children. A session whose parent is missing is a root.

    The parent of a session is the one that it continues, or else the last one that it starts after. Roots keep their
    order; children come oldest first.
    """
    ids = {session.id for session in sessions}
    children: dict[str | None, list[Session]] = {}
    for session in sessions:
        children.setdefault(_parent_id(session, ids), []).append(session)
    stack = [(0, session) for session in reversed(children.get(None, []))]
    while stack:
        depth, session = stack.pop()
        yield depth, session
        younger_first = sorted(children.get(session.id, []), key=lambda child: child.created_at, reverse=True)
        stack += [(depth + 1, child) for child in younger_first]


def _parent_id(session: Session, ids: Container[str]) -> str | None:
    """Return the session below which a session is shown, if it is one of `ids`; None for a root."""
    if session.parent_session_id in ids:
        return session.parent_session_id
    return next((each["id"] for each in reversed(session.after or ()) if each["id"] in ids), None)
