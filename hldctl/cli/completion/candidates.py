"""What can stand where the cursor is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hldctl.cli.completion.kind import Kind
from hldctl.cli.completion.wanted import Wanted
from hldctl.cli.output import one_line

_SHORT = 8
_FORCE = {"--force", "-f"}


class Candidate(NamedTuple):
    value: str
    description: str = ""


def candidates(wanted: Wanted) -> list[Candidate]:
    """Each begins as the word does that is typed, and has not been said."""
    found = _found(wanted)
    return [each for each in found if each.value.startswith(wanted.beginning) and each.value not in wanted.said]


def _found(wanted: Wanted) -> Iterator[Candidate]:
    match wanted.takes:
        case list() as choices:
            yield from map(Candidate, choices)
        case Kind.GROUP:
            yield from _groups()
        case Kind.NAME | Kind.REQUEST | Kind.TOOL:
            yield from _of_the_database(wanted.takes)
        case which:
            yield from _sessions(which, wanted)


def _groups() -> Iterator[Candidate]:
    from hldctl.host import configuration

    for name, slots in configuration.load().groups.items():
        yield Candidate(name, f"{slots} at once")


def _of_the_database(kind: str) -> Iterator[Candidate]:
    from hldctl.host.paths import StateDirectory
    from hldctl.store import candidates as store

    with store.reading(StateDirectory.from_environment()) as connection:
        if kind == Kind.NAME:
            yield from map(Candidate, store.names(connection))
        elif kind == Kind.TOOL:
            yield from map(Candidate, store.tools(connection))
        else:
            for request in store.requests(connection):
                yield Candidate(request.id[:_SHORT], one_line(f"{request.tool_name} · {request.tool_input}"))


def _sessions(which: str, wanted: Wanted) -> Iterator[Candidate]:
    from hldctl.host.paths import StateDirectory
    from hldctl.store import candidates as store

    # With force, those that run are deleted, too.
    chosen = store.Which.ANY if which == store.Which.ENDED and _FORCE & set(wanted.said) else store.Which(which)
    with store.reading(StateDirectory.from_environment()) as connection:
        found = store.sessions(connection, chosen, wanted.beginning)
    for session in found:
        description = one_line(f"{session.status} · {session.title}")
        is_short = session.is_short_id_unique and len(wanted.beginning) <= _SHORT
        yield Candidate(session.id[:_SHORT] if is_short else session.id, description)
        if session.name is not None:
            yield Candidate(session.name, description)
