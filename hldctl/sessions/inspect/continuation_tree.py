"""Sessions as trees of continuations, and of sessions that start after others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hldctl.store.session import Session


def walk_tree(sessions: Sequence[Session]) -> Iterator[tuple[int, Session]]:
    """Yield each session with its depth, a parent before its children. A session whose parent is missing is a root.

    The parent of a session is the one that it continues, or else the newest one that it starts after. Roots keep their
    order; children come oldest first.
    """
    ages = {session.id: session.created_at for session in sessions}
    children: dict[str | None, list[Session]] = {}
    for session in sessions:
        children.setdefault(_parent_id(session, ages), []).append(session)
    stack = [(0, session) for session in reversed(children.get(None, []))]
    while stack:
        depth, session = stack.pop()
        yield depth, session
        younger_first = sorted(children.get(session.id, []), key=lambda child: child.created_at, reverse=True)
        stack += [(depth + 1, child) for child in younger_first]


def _parent_id(session: Session, ages: Mapping[str, int]) -> str | None:
    """Return the session below which a session is shown; None for a root. `ages` has the times of the listed ones."""
    if session.parent_session_id in ages:
        return session.parent_session_id
    listed = [each["id"] for each in session.after or () if each["id"] in ages]
    return max(listed, key=ages.__getitem__, default=None)
