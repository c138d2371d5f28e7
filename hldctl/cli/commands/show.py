"""`hldctl show`."""

from __future__ import annotations

import json
import os
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import typer

from hldctl.cli import elsewhere, output
from hldctl.cli.elsewhere import View
from hldctl.cli.render.events.plain import Detail, DetailLevels, lines, pending_request
from hldctl.cli.render.format import age
from hldctl.cli.render.session_text import (
    check_text,
    denied_tools,
    failed_command,
    predecessor_text,
    undelivered_name,
    worktree_text,
)
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.rich_console import Colour
from hldctl.contract.activity import ActivityObject
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.inspect import details, follow
from hldctl.sessions.inspect.details import SessionDetails
from hldctl.sessions.inspect.follow import ALL_EVENTS
from hldctl.states import ApprovalKind
from hldctl.store import json_view
from hldctl.store.database import open_for_reading
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.mcp_servers import McpServerRow
from hldctl.store.session import Session

# Of a rule or a message, in characters; --json has the full text.
_MAX_LENGTH = 500
# Fields that are printed separately, or that are only useful to scripts.
_SEPARATE_FIELDS = (
    *("query", "summary", "result_content", "run_id", "permission_denials", "background_tasks", "after", "check"),
    *("worktree", "json_schema", "structured_output"),
)


def command(
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to show.")],
    events: Annotated[bool, typer.Option("--events", help="Show its conversation.")] = False,
    snapshots: Annotated[
        bool, typer.Option("--snapshots", help="Show the files it read, with their contents at that time.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one session: a summary at a terminal, every field in a pipe.

    At a terminal, --events and --snapshots use $PAGER.
    """
    if events and snapshots:
        raise BadUsage("Use either --events or --snapshots, not both.")
    with elsewhere.find([session]) as view:
        _show(view, session, events=events, snapshots=snapshots, as_json=as_json)


def _show(view: View, ref: str, *, events: bool, snapshots: bool, as_json: bool) -> None:
    state = view.state
    inspection = details.load_details(state, ref)
    if events:
        # Before the pager takes the output.
        is_drawn = rich_console.can_draw() and not as_json
        with _pager(as_json):
            if is_drawn:
                _draw_events(state, inspection.session.id)
            else:
                _print_events(state, inspection.session.id, as_json=as_json)
    elif snapshots:
        with _pager(as_json):
            _print_snapshots(details.load_file_snapshots(state, inspection.session.id), as_json=as_json)
    elif as_json:
        values = _json_object(inspection) | {"activity": _activity(state, inspection.session.id)}
        session_id = inspection.session.id
        machine, place = elsewhere.session_machine(view, session_id), elsewhere.place_object(view, session_id)
        output.print_json(values | {"machine": machine, "place": place})
    elif rich_console.can_draw():
        _draw(inspection, view)
    else:
        _print(inspection, view)


def _pager(as_json: bool) -> AbstractContextManager[None]:
    """Return a context that pages the output at a terminal; JSON, which is for programs, is never paged."""
    if as_json or not rich_console.can_draw():
        return nullcontext()
    from hldctl.cli.terminal.programs import open_pager

    return open_pager()


def _draw(inspection: SessionDetails, view: View) -> None:
    # Imported here: only a terminal needs them.
    from hldctl.cli.render import session_page
    from hldctl.sessions.inspect import activity

    session, state = inspection.session, view.state
    with open_for_reading(state):
        doing = activity.load_activities().get(session.id)
        last_words = None if doing is None else activity.latest_reply(session.id)
    page = session_page.Page(inspection, _location(view, session.id), doing, last_words)
    session_page.draw(page, rich_console.console())


def _location(view: View, session_id: str) -> str:
    """Return where a session's files are."""
    if view.mirror is None:
        return str(view.state.session(session_id).directory)
    machine, place = view.machine(session_id), elsewhere.place_text(view, session_id)
    if machine is None:
        return f"waits in {place}" if place else "on an unknown machine"
    return f"on {elsewhere.describe(machine)}{f', {place}' if place else ''}"


def _activity(state: StateDirectory, session_id: str) -> ActivityObject | None:
    # Imported here: only JSON and a terminal need it.
    from hldctl.sessions.inspect import activity

    with open_for_reading(state):
        return activity.activity_object(activity.load_activities().get(session_id))


def _json_object(inspection: SessionDetails) -> dict[str, Any]:
    servers = [json_view.mcp_server_object(server) for server in inspection.mcp_servers]
    processes = [{"pid": process.pid, "command": process.command} for process in inspection.left_running]
    return json_view.session_object(inspection.session) | {
        "children": inspection.child_ids,
        "launched": inspection.launched_ids,
        "predecessors": [json_view.predecessor_object(each) for each in inspection.predecessors],
        "sent_query": inspection.sent_query,
        "mcp_servers": servers,
        "left_running": processes,
        "rules": inspection.rules,
        "open_in_terminal": None if inspection.opened is None else inspection.opened.as_object(),
        "undelivered_messages": [json_view.message_object(message) for message in inspection.undelivered],
    }


def _draw_events(state: StateDirectory, session_id: str) -> None:
    # Imported here: only a terminal needs it.
    from hldctl.cli.views import follow_rich

    colour = Colour.NEVER if os.environ.get("NO_COLOR") else Colour.ALWAYS
    follow_rich.show(state, [session_id], ALL_EVENTS, DetailLevels(Detail.FULL, Detail.FULL), colour=colour)


def _print_events(state: StateDirectory, session_id: str, *, as_json: bool) -> None:
    conversation = follow.conversation_events(state, [session_id])
    if as_json:
        output.print_json([json_view.event_object(event) for event in conversation])
    else:
        for event in conversation:
            output.print_data("\n".join(lines(event)))


def _print_snapshots(snapshots: list[SnapshotRow], *, as_json: bool) -> None:
    if as_json:
        output.print_json([json_view.snapshot_object(snapshot) for snapshot in snapshots])
        return
    for snapshot in snapshots:
        output.print_data(f"==> {output.one_line(snapshot.file_path)} <==")
        output.print_data(output.escape_control_chars(snapshot.content))


def _print(inspection: SessionDetails, view: View) -> None:
    fields = json_view.session_object(inspection.session)
    for name, value in fields.items():
        if value not in (None, [], False, "") and name not in _SEPARATE_FIELDS:
            _print_line(name.replace("_", " "), _text(value))
    if inspection.session.worktree is not None:
        _print_line("worktree", worktree_text(inspection.session))
    if denials := fields["permission_denials"]:
        _print_line("permission denials", denied_tools(denials))
    if (check := fields["check"]) is not None:
        _print_line("check", f"{check_text(check)}: {output.one_line(check['command'])}")
    for failure in inspection.failed_commands:
        _print_line(failure.setting, failed_command(failure))
    if inspection.session.waiting_budget is not None:
        # Imported here: few sessions wait for a budget.
        from hldctl.cli.render.activity import describe_wait
        from hldctl.store.budgets.waits import BudgetWait

        _print_line("budget", describe_wait(BudgetWait(**inspection.session.waiting_budget)))
    for approval in inspection.pending_requests:
        since = age(time.time() - approval.created_at / 1000)
        is_question = approval.kind is ApprovalKind.QUESTION
        _print_line(
            "waiting for an answer" if is_question else "waiting for approval",
            f"{pending_request(approval)}, since {since}",
        )
    if inspection.opened is not None:
        since = age(time.time() - inspection.opened.since_ms / 1000)
        _print_line("open in a terminal", f"by pid {inspection.opened.pid}, since {since}")
    for message in inspection.undelivered:
        _print_line(undelivered_name(inspection.session), output.truncate(message.text, _MAX_LENGTH))
    for task in fields["background_tasks"] or ():
        _print_line("background task", output.one_line(f"{task['kind']}: {task['description']}"))
    for rule in inspection.rules:
        _print_line("always allowed", output.truncate(f"{rule['id']}: {rule['words']}", _MAX_LENGTH))
    if inspection.namespace_advice:
        _print_line("runs", inspection.namespace_advice)
    for predecessor in inspection.predecessors:
        _print_line("after", predecessor_text(predecessor, predecessor.id))
    for child in inspection.child_ids:
        _print_line("continued by", child)
    for launched in inspection.launched_ids:
        _print_line("launched", launched)
    for server in inspection.mcp_servers:
        _print_line("mcp server", _server_text(server, ended=inspection.session.completed_at is not None))
    for process in inspection.left_running:
        _print_line("still running", output.one_line(f"{process.pid} {process.command}"))
    for name, count in _skipped_lines(inspection.session).items():
        _print_line(name, str(count))
    if fields["json_schema"] is not None:
        _print_line("json schema", output.truncate(json.dumps(fields["json_schema"]), _MAX_LENGTH))
    session_id = inspection.session.id
    if view.mirror is None:
        _print_line("files", str(view.state.session(session_id).directory))
    if (machine := view.machine(session_id)) is not None:
        _print_line("machine", elsewhere.describe(machine))
    if place := elsewhere.place_text(view, session_id):
        _print_line("place", place)
    texts = {
        "query": fields["query"],
        "sent query": inspection.sent_query,
        "result content": fields["result_content"],
    }
    for name, text in texts.items():
        if text:
            output.print_data(f"\n{name}:\n{output.escape_control_chars(text)}")


def _print_line(name: str, value: str) -> None:
    output.print_data(f"{output.one_line(name):<28}{value}")


def _server_text(server: McpServerRow, *, ended: bool) -> str:
    kind = f" ({server.transport})" if server.transport else ""
    no_status = "never started" if ended else "not started yet"
    return output.one_line(f"{server.name}{kind} {server.status or no_status}")


def _skipped_lines(session: Session) -> dict[str, int]:
    """Return the number of skipped journal lines, by kind."""
    counts = {f"unknown {kind}": count for kind, count in session.fold_state["unknown_lines"].items()}
    unreadable = session.fold_state["unreadable_lines"]
    return ({"unreadable lines": unreadable} if unreadable else {}) | counts


def _text(value: Any) -> str:
    if isinstance(value, list):
        return output.one_line(", ".join(map(str, value)))
    if isinstance(value, float):
        return f"{value:.4f}"
    return "yes" if value is True else output.one_line(str(value))
