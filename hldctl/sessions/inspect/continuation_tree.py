"""Sessions as trees of continuations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hldctl.store.session import Session


def walk_tree(sessions: Sequence[Session]) -> Iterator[tuple[int, Session]]:
    """Yield each session with its depth, a parent before its children. A session whose parent is missing is a root.

    Roots keep their order; children come oldest first.
    """
    ids = {session.id for session in sessions}
    children: dict[str | None, list[Session]] = {}
    for session in sessions:
        parent = session.parent_session_id if session.parent_session_id in ids else None
        children.setdefault(parent, []).append(session)
    stack = [(0, session) for session in reversed(children.get(None, []))]
    while stack:
        depth, session = stack.pop()
        yield depth, session
        younger_first = sorted(children.get(session.id, []), key=lambda child: child.created_at, reverse=True)
        stack += [(depth + 1, child) for child in younger_first]
