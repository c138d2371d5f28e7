"""`hldctl search`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.params import bounded_int, seconds_parser
from hldctl.cli.render.events import match as match_text
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.cli.views.index_progress import index_progress
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup
from hldctl.sessions.inspect.search import search
from hldctl.store.database import open_for_reading
from hldctl.store.search.matches import Filters, Match
from hldctl.store.search.terms import as_text

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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the ids of the sessions, each once.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of matches.")] = False,
) -> None:
    """Search all conversations for words, newest first.

    Messages, thinking, and the inputs and results of tools are searched, of archived sessions as well. Case and accents
    do not matter, and punctuation separates words: parser.py also finds src/parser.py. Without a match the exit code is
    0, and nothing is printed to standard output.

    The first search in a database without an index builds it in the background; Ctrl-C leaves that running.
    """
    state = StateDirectory.from_environment()
    filters = Filters(
        session_id=None if session is None else _session_id(state, session),
        role=role,
        tool=tool,
        since=None if since is None else int((time.time() - since) * 1000),
    )
    count = _DEFAULT_LIMIT if limit is None else limit
    with exit_on_signal(), index_progress() as show:
        matches = search(state, as_text(words), filters, on_progress=show, on_note=output.print_note)
        with closing(matches):
            found = iter(_newest_by_session(matches) if quiet else matches)
            _print(itertools.islice(found, count) if count else found, quiet=quiet, as_json=as_json)
            if limit is None and next(found, None) is not None:
                output.print_note(f"only {count} shown; --limit 0 shows all")


def _session_id(state: StateDirectory, ref: str) -> str:
    with open_for_reading(state):
        return lookup.find_session(ref).id


def _newest_by_session(matches: Iterable[Match]) -> Iterator[Match]:
    """Yield the newest match of each session."""
    ids = set[str]()
    for match in matches:
        if match.session_id not in ids:
            ids.add(match.session_id)
            yield match


def _print(matches: Iterable[Match], *, quiet: bool, as_json: bool) -> None:
    if as_json:
        output.print_json_array(match.as_object() for match in matches)
        return
    is_drawn = not quiet and rich_console.can_draw()
    terminal = rich_console.console() if is_drawn else None
    now, is_empty = time.time(), True
    for match in matches:
        is_empty = False
        if terminal is not None:
            terminal.print(*match_text.rich_lines(match, now), sep="\n")
        else:
            output.print_data(match.session_id if quiet else match_text.plain_line(match, now))
    if is_empty:
        output.print_note("no event matches")
