"""`hldctl ls`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from hldctl.cli import elsewhere, output
from hldctl.cli.elsewhere import View
from hldctl.cli.params import StatusChoice, bounded_int, seconds_parser
from hldctl.cli.render.format import age
from hldctl.cli.terminal import rich_console
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.inspect import continuation_tree
from hldctl.sessions.inspect.continuation_tree import Branch
from hldctl.sessions.inspect.terminals import Opened, find_opened
from hldctl.states import ENDED, ApprovalKind, Status
from hldctl.store import approvals, json_view
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.database import open_for_reading
from hldctl.store.session import Session
from hldctl.store.session_list import Listing, find_sessions, read_sessions

if TYPE_CHECKING:
    from hldctl.cli.render.format_template import Template

# Rows in a table; other formats have no default limit.
_DEFAULT_ROWS = 50
# Characters of a question of the model in a pipe.
_MAX_QUESTION = 60


class SortKey(StrEnum):
    CREATED = "created"
    ACTIVITY = "activity"
    COST = "cost"
    TURNS = "turns"
    DURATION = "duration"


_PLAIN_COLUMNS = (
    "id",
    "parent_session_id",
    "launched_by",
    "after",
    "status",
    "created_at",
    "num_turns",
    "cost_usd",
    "title",
    "summary",
    "name",
    "pending_approvals",
)

_TREE_COLUMNS = ("id", "parent_session_id", "launched_by", "after", "created_at")

_RICH_COLUMNS = (
    *_PLAIN_COLUMNS,
    *(
        "end_reason",
        "started_at",
        "completed_at",
        "duration_ms",
        "effective_context_tokens",
        "context_window",
        "worktree",
    ),
)

_SORT_COLUMNS = {
    SortKey.CREATED: "created_at",
    SortKey.ACTIVITY: "last_activity_at",
    SortKey.COST: "cost_usd",
    SortKey.TURNS: "num_turns",
    SortKey.DURATION: "run_time",
}


def command(
    archived: Annotated[bool, typer.Option("--all", help="Include archived sessions.")] = False,
    status: Annotated[
        list[Status] | None,
        typer.Option(click_type=StatusChoice(), metavar="STATUS", help="Only sessions with this status."),
    ] = None,
    since: Annotated[
        float | None,
        typer.Option(parser=seconds_parser, metavar="DURATION", help="Only sessions started in this period, e.g. 7d."),
    ] = None,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only sessions whose title or query contains this.")
    ] = None,
    directory: Annotated[
        str | None, typer.Option("--dir", metavar="DIR", help="Only sessions in this directory or below it.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Only sessions with this name.")] = None,
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Only sessions of this group.")] = None,
    sort: Annotated[SortKey, typer.Option(help="Sort key; newest or largest first.")] = SortKey.CREATED,
    limit: Annotated[
        int | None,
        typer.Option(
            parser=bounded_int(0),
            metavar="N",
            help=f"At most N sessions; 0 for all. Default in a table: {_DEFAULT_ROWS}.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the ids.")] = False,
    template: Annotated[
        str | None, typer.Option("--format", metavar="TEMPLATE", help="Print a line per session, e.g. '{id} {status}'.")
    ] = None,
    tree: Annotated[
        bool,
        typer.Option(
            "--tree",
            help="Show continuations, sessions launched by others (▸), and those launched with --after, below them.",
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="At a terminal: update the table with each change, until Ctrl-C.")
    ] = False,
    fleet: elsewhere.InFleetOrNot = None,
    machine: elsewhere.OfMachine = None,
    owner: elsewhere.OfOwner = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of sessions.")] = False,
) -> None:
    """List sessions, newest first, with their activity at a terminal."""
    is_table = not (quiet or template or as_json)
    is_drawn = is_table and rich_console.can_draw()
    if watch and not is_drawn:
        raise BadUsage(
            "--watch needs a terminal, and does not work with -q, --format or --json; "
            "`hldctl events -f` prints a line for each change."
        )
    max_rows = (_DEFAULT_ROWS if is_table else 0) if limit is None else limit
    listing = Listing(
        archived=archived,
        statuses=tuple(status or ()),
        created_since=None if since is None else int((time.time() - since) * 1000),
        search=search,
        directory=None if directory is None else os.path.abspath(os.path.expanduser(directory)),
        name=name,
        group=group,
        sort=_SORT_COLUMNS[sort],
        # One extra row shows whether there are more.
        limit=max_rows + 1 if max_rows else None,
        columns=_RICH_COLUMNS if is_drawn else _PLAIN_COLUMNS if is_table else _TREE_COLUMNS if tree else ("id",),
    )
    parsed_template = None if template is None else _parse_template(template)
    form = _Form(max_rows, tree, watch, quiet, parsed_template, is_drawn, is_table, is_default_limit=limit is None)
    whose = elsewhere.whose(fleet, machine, owner)
    with elsewhere.list_view(whose, listing, with_texts=not quiet, follows=watch) as view:
        _list(view, listing, form)


class _Form(NamedTuple):
    """How the list is printed."""

    max_rows: int
    tree: bool
    watch: bool
    quiet: bool
    template: Template | None
    is_drawn: bool
    is_table: bool
    is_default_limit: bool


def _list(view: View, listing: Listing, form: _Form) -> None:
    state, max_rows, tree = view.state, form.max_rows, form.tree
    if form.is_drawn:
        _draw(view, listing, max_rows, tree=tree, watch=form.watch, is_default_limit=form.is_default_limit)
        return
    with open_for_reading(state):
        supervisors.adopt_all_lost(state)
        sessions = find_sessions(listing)
        rows = _arrange(sessions, max_rows, tree=tree)
        if not form.is_table:
            _print_each(view, [row.session.id for row in rows], quiet=form.quiet, template=form.template)
            return
        if not sessions:
            output.print_note(_reason_for_none(listing))
        requests = _pending_requests() if any(session.pending_approvals for session in sessions) else {}
        if any(session.status in (Status.QUEUED, Status.STARTING) for session in sessions):
            _note_gates()
    if rows:
        _print_table(rows, requests | _terminal_texts(state, [row.session.id for row in rows]), view)
        _note_more(sessions, max_rows, is_default=form.is_default_limit)


def _print_each(view: View, ids: Sequence[str], *, quiet: bool, template: Template | None) -> None:
    """Print the sessions for a script: only ids, a line per session, or JSON."""
    if quiet:
        for session_id in ids:
            output.print_data(session_id)
        return
    objects = (json_view.session_object(session) for session in read_sessions(ids, json_view.SESSION_COLUMNS))
    if template is None:
        _print_json(objects, find_opened(view.state, ids), view)
        return
    for values in objects:
        output.print_data(template.line(values))


def _print_json(objects: Iterator[dict[str, Any]], opened: Mapping[str, Opened], view: View) -> None:
    # Imported here: only JSON and a terminal need it.
    from hldctl.sessions.inspect import activity

    activities = activity.load_activities()
    terminals = {session_id: each.as_object() for session_id, each in opened.items()}
    output.print_json_array(
        values
        | {
            "activity": activity.activity_object(activities.get(values["id"])),
            "open_in_terminal": terminals.get(values["id"]),
            "machine": elsewhere.session_machine(view, values["id"]),
            "place": elsewhere.place_object(view, values["id"]),
        }
        for values in objects
    )


def _parse_template(text: str) -> Template:
    from hldctl.cli.render.format_template import Template

    return Template(text, json_view.session_samples())


def _draw(view: View, listing: Listing, max_rows: int, *, tree: bool, watch: bool, is_default_limit: bool) -> None:
    # Imported here: only a terminal needs them.
    from hldctl.cli.render import session_table
    from hldctl.sessions.inspect import overview

    state = view.state

    def rows(current_overview: overview.Overview) -> list[session_table.Row]:
        outcomes = current_overview.outcomes
        arranged = _arrange(current_overview.sessions, max_rows, tree=tree)
        opened = find_opened(state, [session.id for _, session, _ in arranged])
        return [
            session_table.Row(
                session,
                outcomes.get(session.id, ""),
                _branch(depth, is_launched=is_launched),
                opened.get(session.id),
                _machine_text(view, session),
            )
            for depth, session, is_launched in arranged
        ]

    if watch:
        from hldctl.cli.views.watch import watch as watch_table

        watch_table(state, listing, rows)
        return
    with open_for_reading(state):
        supervisors.adopt_all_lost(state)
        snapshot = overview.load_overview(listing)
        if not snapshot.sessions:
            output.print_note(_reason_for_none(listing))
            return
    terminal = rich_console.console()
    for gate in snapshot.gates:
        from hldctl.cli.render.gate_line import gate_line

        terminal.print(
            gate_line(gate), style="yellow", no_wrap=True, overflow="ellipsis", markup=False, highlight=False
        )
    terminal.print(
        *session_table.lines(rows(snapshot), snapshot.activities, width=terminal.width, now=time.time()), sep="\n"
    )
    _note_more(snapshot.sessions, max_rows, is_default=is_default_limit)


def _arrange(sessions: Sequence[Session], max_rows: int, *, tree: bool) -> list[Branch]:
    """Return the sessions to show, each with its depth in the tree."""
    limited = sessions[:max_rows] if max_rows else sessions
    return list(continuation_tree.walk_tree(limited)) if tree else [Branch(0, session) for session in limited]


def _reason_for_none(listing: Listing) -> str:
    """Return why the list is empty, and what would show or make sessions."""
    # Imported here, since most lists are not empty.
    from hldctl.store import sessions

    if sessions.count() == 0:
        return "no sessions; `hldctl launch` starts one"
    if not listing.has_filters:
        return "all sessions are archived; `hldctl ls --all` shows them"
    return f"no session matches{'' if listing.archived else '; --all includes archived sessions'}"


def _note_more(sessions: Sequence[Session], max_rows: int, *, is_default: bool) -> None:
    # Anyone who gives a limit knows it.
    if is_default and max_rows and len(sessions) > max_rows:
        output.print_note(f"only {max_rows} shown; --limit 0 shows all")


def _note_gates() -> None:
    # Imported here: few lists have a session that has yet to start.
    from hldctl.cli.render.gate_line import gate_line
    from hldctl.store.admission import limits

    for gate in limits.list_gates():
        output.print_note(gate_line(gate))


def _pending_requests() -> dict[str, str]:
    """Return, for each session with pending requests, what the oldest one asks, and its age."""
    # Oldest last, so that it overwrites the others of its session.
    oldest_last = reversed(approvals.pending_approvals(current_connection()))
    now = time.time()
    texts = {}
    for approval in oldest_last:
        texts[approval.session_id] = f" ({_request_text(approval)}, {age(now - approval.created_at / 1000)})"
    return texts


def _terminal_texts(state: StateDirectory, session_ids: list[str]) -> dict[str, str]:
    """Return a text for each of these sessions that is open in a terminal."""
    now = time.time()
    return {
        session_id: f" (open in a terminal, {age(now - opened.since_ms / 1000)})"
        for session_id, opened in find_opened(state, session_ids).items()
    }


def _request_text(approval: Approval) -> str:
    match approval.kind:
        case ApprovalKind.QUESTION:
            # Imported here: questions are rare.
            from hldctl.sessions.inspect.activity import key_argument

            return f"asks: {output.truncate(key_argument(approval.tool_input), _MAX_QUESTION)}"
        case ApprovalKind.PLAN:
            return "waiting for approval of its plan"
    return f"waiting for approval: {output.one_line(approval.tool_name)}"


def _print_table(arranged: list[Branch], notes: dict[str, str], view: View) -> None:
    now = time.time()
    rows = [
        (
            *([] if view.mirror is None else [_machine_text(view, session)]),
            session.id[:8],
            session.status,
            age(now - session.created_at / 1000),
            "" if session.num_turns is None else str(session.num_turns),
            "" if session.cost_usd is None else f"${session.cost_usd:.2f}",
            _branch(depth, is_launched=is_launched) + _label(session) + notes.get(session.id, ""),
        )
        for depth, session, is_launched in arranged
    ]
    machine_heading = [] if view.mirror is None else ["MACHINE"]
    output.print_table((*machine_heading, "ID", "STATUS", "AGE", "TURNS", "COST", "TITLE"), rows)


def _machine_text(view: View, session: Session) -> str:
    """Return the name of a session's machine, and for how long it has been silent if the session has not ended.

    Of a session that no machine has yet, return where an engine has it.
    """
    if (machine := view.machine(session.id)) is None:
        return elsewhere.place_text(view, session.id)
    return elsewhere.describe(machine) if session.status not in ENDED else output.one_line(machine.label)


def _label(session: Session) -> str:
    name = f"{output.one_line(session.name)}: " if session.name else ""
    return name + output.one_line(session.title or session.summary)


def _branch(depth: int, *, is_launched: bool) -> str:
    """Return the branch of the tree before a title; it ends in ▸ if the session above launched this one."""
    return "  " * (depth - 1) + ("└▸ " if is_launched else "└ ") if depth else ""
