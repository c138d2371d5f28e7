"""Session references as a user types them, and the rules for session names."""

from __future__ import annotations

import re

from hldctl.errors import BadUsage, NoSuchSession
from hldctl.paths import is_session_id
from hldctl.store import sessions
from hldctl.store.session import Session

MIN_PREFIX_LENGTH = 4
"""The minimum length of an id prefix, for ids of any kind."""


def find_session(ref: str) -> Session:
    """Return the session with this id, unique prefix of an id, or name; for `last`, the newest session.

    Of several sessions with a name, the one that runs comes first, then one in the queue, then the newest.

    Raise NoSuchSession if there is none, or more than one.
    """
    session = sessions.get(_find_id(ref))
    if session is None:
        raise NoSuchSession(f"No session {ref!r}; `hldctl ls --all` lists all sessions.")
    return session


def _find_id(ref: str) -> str:
    if ref == "last":
        if (newest := sessions.newest_id()) is None:
            raise NoSuchSession("No sessions yet; `hldctl launch` starts one.")
        return newest
    if (id_by_name := sessions.id_with_name(ref)) is not None:
        return id_by_name
    if len(ref) < MIN_PREFIX_LENGTH:
        raise NoSuchSession(f"No session {ref!r}; a prefix of an id must have at least {MIN_PREFIX_LENGTH} characters.")
    ids = sessions.ids_with_prefix(ref.lower())
    if len(ids) > 1:
        raise NoSuchSession(
            f"{ref!r} is ambiguous: it matches {' and '.join(ids)}, and maybe more; type more of the id."
        )
    return ids[0] if ids else ref


_NAME = re.compile(r"[^\W_][\w.@:+-]{0,99}")
# References with a meaning of their own.
_RESERVED = ("last",)


def validate_name(name: str) -> str:
    """Return the name; raise BadUsage if it is reserved, looks like an id, or cannot be typed."""
    if is_session_id(name.lower()) or name in _RESERVED:
        raise BadUsage(f"--name {name} is reserved or looks like a session id; choose another name.")
    if not _NAME.fullmatch(name):
        raise BadUsage(
            f"--name {name!r} is not a valid name: start with a letter or digit, then use letters, digits and "
            ". _ - + : @; at most 100 characters."
        )
    return name
