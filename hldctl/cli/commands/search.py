"""`hldctl search`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hldctl.cli import elsewhere, output
from hldctl.cli.params import bounded_int, seconds_parser
from hldctl.cli.render.events import match as match_text
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.cli.views.index_progress import index_progress
from hldctl.contract.session import MachineRefObject
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup
from hldctl.sessions.inspect.search import Building, search
from hldctl.store.database import open_for_reading
from hldctl.store.search.matches import Filters, Match
from hldctl.store.search.terms import as_text

if TYPE_CHECKING:
    from hldctl.fleet.record.reading import Where

_DEFAULT_LIMIT = 20


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


def command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORDS…",
            help="What an event must contain, all of it: words, a 'phrase in quotes', the beginning of a word with *.",
        ),
    ],
    since: Annotated[
        float | None,
        typer.Option(parser=seconds_parser, metavar="DURATION", help="Only events of this period, e.g. 7d."),
    ] = None,
    role: Annotated[Role | None, typer.Option(help="Only what the user, the model or Claude Code itself said.")] = None,
    tool: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only calls of this tool and their results, e.g. Bash.")
    ] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Only events of this session.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            parser=bounded_int(0), metavar="N", help=f"At most N matches; 0 for all. Default: {_DEFAULT_LIMIT}."
        ),
    ] = None,
    fleet: elsewhere.InFleet = False,
    machine: elsewhere.OfMachine = None,
    owner: elsewhere.OfOwner = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the ids of the sessions, each once.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of matches.")] = False,
) -> None:
    """Search all conversations for words, newest first.

    Messages, thinking, and the inputs and results of tools are searched, of archived sessions as well. Case and accents
    do not matter, and punctuation separates words: parser.py also finds src/parser.py. Without a match the exit code is
    0, and nothing is printed to standard output.

    With --fleet, what machines share is searched; accents matter then, and --tool finds calls only.

    The first search in a database without an index builds it in the background; Ctrl-C leaves that running.
    """
    filters = Filters(role=role, tool=tool, since=None if since is None else int((time.time() - since) * 1000))
    text = as_text(words)
    with exit_on_signal(), index_progress() as show:
        if (where := elsewhere.where(fleet, machine, owner)) is not None:
            matches = _search_fleet(text, where, filters, session)
        else:
            matches = _search_here(text, filters, session, show)
        with closing(matches):
            _print_some(matches, limit, quiet=quiet, as_json=as_json)


class _Row(NamedTuple):
    """A match, and its session's machine in a search of the fleet."""

    match: Match
    machine_label: str = ""
    machine: MachineRefObject | None = None


def _search_here(
    text: str, filters: Filters, session: str | None, show: Callable[[Building], None]
) -> Generator[_Row, None, None]:
    state = StateDirectory.from_environment()
    if session is not None:
        with open_for_reading(state):
            filters = replace(filters, session_id=lookup.find_session(session).id)
    with closing(search(state, text, filters, on_progress=show, on_note=output.print_note)) as matches:
        yield from map(_Row, matches)


def _search_fleet(text: str, where: Where, filters: Filters, session: str | None) -> Generator[_Row, None, None]:
    # Imported here: only a search of the fleet needs it.
    from hldctl.fleet import search as fleet_search

    for found in fleet_search.search(text, where, filters, session):
        label = "-" if found.machine is None else output.one_line(found.machine.label)
        yield _Row(found.match, label, elsewhere.machine_object(found.machine, found.owner))


def _print_some(rows: Iterator[_Row], limit: int | None, *, quiet: bool, as_json: bool) -> None:
    """Print the first rows, and a note if there are more than the default limit."""
    count = _DEFAULT_LIMIT if limit is None else limit
    found = iter(_newest_by_session(rows) if quiet else rows)
    _print(itertools.islice(found, count) if count else found, quiet=quiet, as_json=as_json)
    if limit is None and next(found, None) is not None:
        output.print_note(f"only {count} shown; --limit 0 shows all")


def _newest_by_session(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield the newest match of each session."""
    ids = set[str]()
    for row in rows:
        if row.match.session_id not in ids:
            ids.add(row.match.session_id)
            yield row


def _print(rows: Iterable[_Row], *, quiet: bool, as_json: bool) -> None:
    if as_json:
        output.print_json_array(row.match.as_object() | {"machine": row.machine} for row in rows)
        return
    terminal = rich_console.console() if not quiet and rich_console.can_draw() else None
    now, is_empty = time.time(), True
    for row in rows:
        is_empty = False
        if terminal is not None:
            terminal.print(*match_text.rich_lines(row.match, now, row.machine_label), sep="\n")
        else:
            line = row.match.session_id if quiet else match_text.plain_line(row.match, now, row.machine_label)
            output.print_data(line)
    if is_empty:
        output.print_note("no event matches")
