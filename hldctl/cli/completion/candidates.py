"""Candidates for the word at the cursor: sessions, requests, names, groups, tools and fixed choices."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hldctl.cli.completion.parser import CompletionContext, Kind
from hldctl.cli.output import one_line

if TYPE_CHECKING:
    import apsw

    from hldctl.store.completion import SessionFilter, SessionLine

_SHORT_ID_LENGTH = 8
_LAST = "last"
_FORCE_OPTIONS = {"--force", "-f"}


class Candidate(NamedTuple):
    value: str
    description: str = ""


def candidates(context: CompletionContext) -> list[Candidate]:
    """Return the candidates that begin with the typed prefix and are not on the command line yet."""
    return _filter(context, _all_candidates(context))


def _filter(context: CompletionContext, unfiltered: Iterable[Candidate]) -> list[Candidate]:
    return [
        candidate
        for candidate in unfiltered
        if candidate.value.startswith(context.prefix) and candidate.value not in context.previous_words
    ]


def _all_candidates(context: CompletionContext) -> Iterator[Candidate]:
    match context.takes:
        case list() as choices:
            yield from map(Candidate, choices)
        case Kind.GROUP:
            yield from _groups()
        case Kind.PROFILE:
            yield from _profiles()
        case Kind.HOST:
            yield from _hosts()
        case Kind.REF:
            yield from _refs()
        case Kind.NAME | Kind.REQUEST | Kind.TOOL:
            yield from _database_candidates(context.takes)
        case session_filter:
            yield from _sessions(session_filter, context)


def _groups() -> Iterator[Candidate]:
    from hldctl.config import schema

    configuration = schema.load()
    slots = configuration.group_slots
    for name in configuration.groups:
        yield Candidate(name, f"{slots[name]} at once" if name in slots else "")


def _profiles() -> Iterator[Candidate]:
    from hldctl.config import layers, schema

    for name, profile in layers.find_profiles(schema.load(), ".").items():
        yield Candidate(name, ", ".join(profile.values))


def _hosts() -> Iterator[Candidate]:
    """Yield the machines that the user's ssh configuration names, without patterns."""
    with open(os.path.expanduser("~/.ssh/config"), encoding="utf-8", errors="replace") as file:
        for line in file:
            keyword, *names = line.replace("=", " ").split() or [""]
            if keyword.lower() == "host":
                yield from (Candidate(name) for name in names if not set(name) & set("*?!"))


def _refs() -> Iterator[Candidate]:
    """Yield the branches and tags of the repository in the present directory."""
    # Imported here: nothing else runs a program.
    from hldctl.worktrees.git import Git

    listed = Git(".").find(
        "for-each-ref", "--format=%(refname:short)%09%(subject)", "refs/heads", "refs/remotes", "refs/tags"
    )
    for line in (listed or "").splitlines():
        name, _, subject = line.partition("\t")
        yield Candidate(name, one_line(subject))


def _database_candidates(kind: str) -> Iterator[Candidate]:
    from hldctl.paths import StateDirectory
    from hldctl.store import completion as store

    with store.open_for_completion(StateDirectory.from_environment()) as connection:
        if kind == Kind.NAME:
            yield from map(Candidate, store.names(connection))
        elif kind == Kind.TOOL:
            yield from map(Candidate, store.tools(connection))
        else:
            for request in store.requests(connection):
                yield Candidate(request.id[:_SHORT_ID_LENGTH], one_line(f"{request.tool_name} · {request.tool_input}"))


def _sessions(session_filter: str, context: CompletionContext) -> Iterator[Candidate]:
    from hldctl.paths import StateDirectory
    from hldctl.store import completion as store

    # `rm --force` deletes running sessions, too.
    has_force = bool(_FORCE_OPTIONS & set(context.previous_words))
    which = (
        store.SessionFilter.ANY
        if session_filter == store.SessionFilter.ENDED and has_force
        else store.SessionFilter(session_filter)
    )
    with store.open_for_completion(StateDirectory.from_environment()) as connection:
        sessions = store.sessions(connection, which, context.prefix)
        newest = _newest(connection, which, sessions, context)
    offered = _filter(
        context, (candidate for session in sessions for candidate in _id_and_name(session, context.prefix))
    )
    yield from offered
    # If there is a single candidate, TAB completes it; `last` as a second one would prevent that.
    if newest is not None and len(offered) != 1:
        yield Candidate(_LAST, _description(newest))


def _newest(
    connection: apsw.Connection, which: SessionFilter, sessions: Sequence[SessionLine], context: CompletionContext
) -> SessionLine | None:
    """Return the session that `last` means; None if `last` does not match here, or the session is already named."""
    from hldctl.store import completion as store

    if not _LAST.startswith(context.prefix):
        return None
    if (newest := store.newest_id(connection)) is None:
        return None
    matching = store.sessions(connection, which, newest) if context.prefix else sessions
    session = next((match for match in matching if match.id == newest), None)
    if session is None or {session.id, session.id[:_SHORT_ID_LENGTH], session.name} & set(context.previous_words):
        return None
    return session


def _id_and_name(session: SessionLine, prefix: str) -> Iterator[Candidate]:
    """Yield the id of the session, and its name if it has one."""
    is_short = session.is_short_id_unique and len(prefix) <= _SHORT_ID_LENGTH
    yield Candidate(session.id[:_SHORT_ID_LENGTH] if is_short else session.id, _description(session))
    if session.name is not None:
        yield Candidate(session.name, _description(session))


def _description(session: SessionLine) -> str:
    return one_line(f"{session.status} · {session.title}")
