"""What can stand where the cursor is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hldctl.cli.completion.parser import CompletionContext, Kind
from hldctl.cli.output import one_line

if TYPE_CHECKING:
    import apsw

    from hldctl.store.completion import SessionLine, Which

_SHORT = 8
_LAST = "last"
_FORCE = {"--force", "-f"}


class Candidate(NamedTuple):
    value: str
    description: str = ""


def candidates(wanted: CompletionContext) -> list[Candidate]:
    """Each begins as the word does that is typed, and has not been said."""
    return _kept(wanted, _found(wanted))


def _kept(wanted: CompletionContext, found: Iterable[Candidate]) -> list[Candidate]:
    return [each for each in found if each.value.startswith(wanted.beginning) and each.value not in wanted.said]


def _found(wanted: CompletionContext) -> Iterator[Candidate]:
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
    from hldctl.config import schema

    for name, slots in schema.load().groups.items():
        yield Candidate(name, f"{slots} at once")


def _of_the_database(kind: str) -> Iterator[Candidate]:
    from hldctl.paths import StateDirectory
    from hldctl.store import completion as store

    with store.reading(StateDirectory.from_environment()) as connection:
        if kind == Kind.NAME:
            yield from map(Candidate, store.names(connection))
        elif kind == Kind.TOOL:
            yield from map(Candidate, store.tools(connection))
        else:
            for request in store.requests(connection):
                yield Candidate(request.id[:_SHORT], one_line(f"{request.tool_name} · {request.tool_input}"))


def _sessions(which: str, wanted: CompletionContext) -> Iterator[Candidate]:
    from hldctl.paths import StateDirectory
    from hldctl.store import completion as store

    # With force, those that run are deleted, too.
    chosen = store.Which.ANY if which == store.Which.ENDED and _FORCE & set(wanted.said) else store.Which(which)
    with store.reading(StateDirectory.from_environment()) as connection:
        found = store.sessions(connection, chosen, wanted.beginning)
        newest = _newest(connection, chosen, found, wanted)
    offered = _kept(wanted, (each for session in found for each in _named(session, wanted.beginning)))
    yield from offered
    # Beside a single one, TAB would no longer complete that.
    if newest is not None and len(offered) != 1:
        yield Candidate(_LAST, _description(newest))


def _newest(
    connection: apsw.Connection, chosen: Which, found: Sequence[SessionLine], wanted: CompletionContext
) -> SessionLine | None:
    """What `last` means, if that can stand here and has not been said in other words."""
    from hldctl.store import completion as store

    if not _LAST.startswith(wanted.beginning):
        return None
    if (newest := store.newest(connection)) is None:
        return None
    fitting = store.sessions(connection, chosen, newest) if wanted.beginning else found
    session = next((each for each in fitting if each.id == newest), None)
    if session is None or {session.id, session.id[:_SHORT], session.name} & set(wanted.said):
        return None
    return session


def _named(session: SessionLine, beginning: str) -> Iterator[Candidate]:
    """By its id, and by its name if it has one."""
    is_short = session.is_short_id_unique and len(beginning) <= _SHORT
    yield Candidate(session.id[:_SHORT] if is_short else session.id, _description(session))
    if session.name is not None:
        yield Candidate(session.name, _description(session))


def _description(session: SessionLine) -> str:
    return one_line(f"{session.status} · {session.title}")
