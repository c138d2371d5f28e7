"""`hldctl ls`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hldctl.cli import output
from hldctl.cli.params import bounded_int, seconds
from hldctl.cli.render.format import age
from hldctl.cli.terminal import rich_console
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import continuation_tree, supervisors
from hldctl.states import Status
from hldctl.store import approvals, json_view
from hldctl.store.connection import current
from hldctl.store.database import reading
from hldctl.store.session import EXPOSED_COLUMNS, Session
from hldctl.store.session_list import Listing, matching, read

if TYPE_CHECKING:
    from hldctl.cli.render.format_template import Template

_SHOWN = 50
"""Rows for a person; a script gets all, unless it says otherwise."""


class SortKey(StrEnum):
    CREATED = "created"
    ACTIVITY = "activity"
    COST = "cost"
    TURNS = "turns"
    DURATION = "duration"


_LISTED = (
    "id",
    "parent_session_id",
    "status",
    "created_at",
    "num_turns",
    "cost_usd",
    "title",
    "summary",
    "pending_approvals",
)

_ARRANGED = ("id", "parent_session_id", "created_at")

_DRAWN = (
    *_LISTED,
    *("name", "end_reason", "started_at", "completed_at", "duration_ms", "effective_context_tokens", "context_window"),
)

_NO_SESSIONS = "no sessions; `hldctl launch` starts one"

_COLUMNS = {
    SortKey.CREATED: "created_at",
    SortKey.ACTIVITY: "last_activity_at",
    SortKey.COST: "cost_usd",
    SortKey.TURNS: "num_turns",
    SortKey.DURATION: "duration_ms",
}


def command(
    archived: Annotated[bool, typer.Option("--all", help="Archived ones too.")] = False,
    status: Annotated[list[Status] | None, typer.Option(metavar="STATUS", help="Only those with this status.")] = None,
    since: Annotated[
        float | None, typer.Option(parser=seconds, metavar="DURATION", help="Only those started since then.")
    ] = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Only those with this in title or query.")] = None,
    sort: Annotated[SortKey, typer.Option(help="By what; the newest or largest comes first.")] = SortKey.CREATED,
    limit: Annotated[
        int | None,
        typer.Option(parser=bounded_int(0), metavar="N", help=f"At most so many; 0 for all. {_SHOWN} in a table."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the ids alone.")] = False,
    template: Annotated[
        str | None, typer.Option("--format", metavar="TEMPLATE", help="A line for each, such as '{id} {status}'.")
    ] = None,
    tree: Annotated[bool, typer.Option("--tree", help="Continuations below what they continue.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="On a terminal: draw the table anew with each change, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print an array of sessions.")] = False,
) -> None:
    """List sessions, newest first: on a terminal with what each does now."""
    is_table = not (quiet or template or as_json)
    is_drawn = is_table and rich_console.is_drawn()
    if watch and not is_drawn:
        raise BadUsage(
            "--watch draws a table on a terminal, so it goes neither with a pipe nor with -q, --format or --json; "
            "`hldctl events -f` prints a line for each change."
        )
    most = (_SHOWN if is_table else 0) if limit is None else limit
    listing = Listing(
        archived=archived,
        statuses=tuple(status or ()),
        created_since=None if since is None else int((time.time() - since) * 1000),
        search=search,
        sort=_COLUMNS[sort],
        # One more, to know whether there are more.
        limit=most + 1 if most else None,
        columns=_DRAWN if is_drawn else _LISTED if is_table else _ARRANGED if tree else ("id",),
    )
    form = None if template is None else _template(template)
    state = StateDirectory.from_environment()
    if is_drawn:
        _draw(state, listing, most, tree=tree, watch=watch)
        return
    with reading(state):
        supervisors.adopt_all_lost(state)
        found = matching(listing)
        drawn = _arranged(found, most, tree=tree)
        if not is_table:
            _print_each([session.id for _, session in drawn], quiet=quiet, form=form)
            return
        waiting = _waiting() if any(session.pending_approvals for session in found) else {}
    if not drawn:
        output.note(_NO_SESSIONS)
    else:
        _print_table(drawn, waiting)
        _note_more(found, most)


def _print_each(ids: Sequence[str], *, quiet: bool, form: Template | None) -> None:
    """For a script: the ids alone, a line for each session, or JSON."""
    if quiet:
        for session_id in ids:
            output.data(session_id)
        return
    objects = (json_view.session_object(session) for session in read(ids, EXPOSED_COLUMNS))
    if form is None:
        output.json_array(objects)
        return
    for values in objects:
        output.data(form.line(values))


def _template(text: str) -> Template:
    from hldctl.cli.render.format_template import Template

    return Template(text, json_view.session_samples())


def _draw(state: StateDirectory, listing: Listing, most: int, *, tree: bool, watch: bool) -> None:
    # Only here: a pipe has no use for what draws.
    from hldctl.cli.render import session_table
    from hldctl.sessions import overview

    def rows(seen: overview.Overview) -> list[session_table.Row]:
        arranged = _arranged(seen.sessions, most, tree=tree)
        return [session_table.Row(session, seen.outcomes.get(session.id, ""), depth) for depth, session in arranged]

    if watch:
        from hldctl.cli.views.watch import watch as watch_table

        watch_table(state, listing, rows)
        return
    with reading(state):
        supervisors.adopt_all_lost(state)
        seen = overview.look(listing)
    if not seen.sessions:
        output.note(_NO_SESSIONS)
        return
    terminal = rich_console.console()
    terminal.print(*session_table.lines(rows(seen), seen.doing, width=terminal.width, now=time.time()), sep="\n")
    _note_more(seen.sessions, most)


def _arranged(found: Sequence[Session], most: int, *, tree: bool) -> list[tuple[int, Session]]:
    """Each that is to be shown, with its depth."""
    limited = found[:most] if most else found
    return list(continuation_tree.by_family(limited)) if tree else [(0, session) for session in limited]


def _note_more(found: Sequence[Session], most: int) -> None:
    if most and len(found) > most:
        output.note(f"only {most} shown; --limit 0 shows all")


def _waiting() -> dict[str, str]:
    """By session, what has waited for permission longest, and since when."""
    longest_last = reversed(approvals.pending(current()))
    now = time.time()
    words = {}
    for approval in longest_last:
        since = age(now - approval.created_at / 1000)
        words[approval.session_id] = f" (waits for {output.one_line(approval.tool_name)}, {since})"
    return words


def _print_table(shown: list[tuple[int, Session]], waiting: dict[str, str]) -> None:
    now = time.time()
    rows = [
        (
            session.id[:8],
            session.status,
            age(now - session.created_at / 1000),
            "" if session.num_turns is None else str(session.num_turns),
            "" if session.cost_usd is None else f"${session.cost_usd:.2f}",
            _branch(depth) + output.one_line(session.title or session.summary) + waiting.get(session.id, ""),
        )
        for depth, session in shown
    ]
    output.table(("ID", "STATUS", "AGE", "TURNS", "COST", "TITLE"), rows)


def _branch(depth: int) -> str:
    return "  " * (depth - 1) + "└ " if depth else ""
