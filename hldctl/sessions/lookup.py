"""From what a user types to a session.

Names that a user can give to a session."""

from __future__ import annotations

import re

from hldctl.errors import BadUsage, NoSuchSession
from hldctl.paths import is_session_id
from hldctl.store import sessions
from hldctl.store.session import Session

SHORTEST_PREFIX = 4
"""Characters of an id, of whatever it is the id."""


def find_session(words: str) -> Session:
    """The session with that id, unique prefix of an id, or name, or the newest for `last`.

    Raises NoSuchSession if there is none, or more than one.
    """
    session = sessions.get(_id(words))
    if session is None:
        raise NoSuchSession(f"There is no session {words!r}; `hldctl ls --all` shows what there is.")
    return session


def _id(words: str) -> str:
    if words == "last":
        if (newest := sessions.newest()) is None:
            raise NoSuchSession("There is no session yet; `hldctl launch` starts one.")
        return newest
    if (named := sessions.newest_with_name(words)) is not None:
        return named
    if len(words) < SHORTEST_PREFIX:
        raise NoSuchSession(
            f"There is no session {words!r}; a prefix of an id needs {SHORTEST_PREFIX} characters or more."
        )
    found = sessions.ids_with_prefix(words.lower())
    if len(found) > 1:
        raise NoSuchSession(
            f"{words!r} is ambiguous: {' and '.join(found)} begin with it, and maybe more; give more of the id."
        )
    return found[0] if found else words


_FORM = re.compile(r"[^\W_][\w.@:+-]{0,99}")
_TAKEN = ("last",)
"""Words that mean something else where a name can stand."""


def validate_name(name: str) -> str:
    """Raises BadUsage for one that could not be told from something else, or not be typed."""
    if is_session_id(name.lower()) or name in _TAKEN:
        raise BadUsage(f"--name {name} means another session already; choose another name.")
    if not _FORM.fullmatch(name):
        raise BadUsage(
            f"--name {name!r} is no name: begin with a letter or digit; letters, digits and . _ - + : @ may follow, "
            "100 characters in all."
        )
    return name
