"""Sessions as trees of continuations, of sessions that others launch, and of those that start after others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hldctl.store.session import Session


class Branch(NamedTuple):
    """A session in a tree."""

    depth: int
    session: Session
    is_launched: bool = False
    """True if the session above launched it; False if it continues that one, or starts after it."""


def walk_tree(sessions: Sequence[Session]) -> Iterator[Branch]:
    """Yield each session with its depth, a parent before its children. A session whose parent is missing is a root.

    The parent of a session is the one that it continues, or else the one that launched it, or else the newest one that
    it starts after. Roots keep their order; children come oldest first.
    """
    ages = {session.id: session.created_at for session in sessions}
    children: dict[str | None, list[Session]] = {}
    for session in sessions:
        children.setdefault(_parent_id(session, ages), []).append(session)
    stack = [Branch(0, session) for session in reversed(children.get(None, []))]
    while stack:
        branch = stack.pop()
        yield branch
        above = branch.session.id
        younger_first = sorted(children.get(above, []), key=lambda child: child.created_at, reverse=True)
        stack += [Branch(branch.depth + 1, child, _is_launched(child, above)) for child in younger_first]


def _parent_id(session: Session, ages: Mapping[str, int]) -> str | None:
    """Return the session below which a session is shown; None for a root. `ages` has the times of the listed ones."""
    for parent in (session.parent_session_id, session.launched_by):
        if parent in ages:
            return parent
    listed = [each["id"] for each in session.after or () if each["id"] in ages]
    return max(listed, key=ages.__getitem__, default=None)


def _is_launched(session: Session, above: str) -> bool:
    return session.launched_by == above and session.parent_session_id != above
