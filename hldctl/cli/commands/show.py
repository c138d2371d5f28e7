"""`hldctl show`."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import typer

from hldctl.cli import output
from hldctl.cli.render.events_plain import lines, pending_request
from hldctl.cli.render.format import age
from hldctl.cli.render.session_text import denied_tools
from hldctl.cli.terminal import rich_console
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import details, follow
from hldctl.sessions.details import Inspection
from hldctl.store import json_view
from hldctl.store.database import reading
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.mcp_servers import McpServerRow
from hldctl.store.session import Session

_WIDEST_RULE = 500
"""Characters; --json has the whole of it."""
_ELSEWHERE = ("query", "summary", "result_content", "run_id", "permission_denials")
"""Shown in a place of their own, or of no use to a person."""


def command(
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to show.")],
    events: Annotated[bool, typer.Option("--events", help="Its conversation.")] = False,
    snapshots: Annotated[bool, typer.Option("--snapshots", help="The files that it read, as they were then.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one session: on a terminal what matters of it, in a pipe all of it.

    At a terminal --events and --snapshots go through $PAGER.
    """
    if events and snapshots:
        raise BadUsage("Say either --events or --snapshots.")
    state = StateDirectory.from_environment()
    found = details.inspect(state, session)
    if events:
        with _read_at_leisure(as_json):
            _print_events(state, found.session.id, as_json=as_json)
    elif snapshots:
        with _read_at_leisure(as_json):
            _print_snapshots(details.file_snapshots(state, found.session.id), as_json=as_json)
    elif as_json:
        output.json_value(_whole_object(found))
    elif rich_console.is_drawn():
        _draw(found, state)
    else:
        _print(found, state)


def _read_at_leisure(as_json: bool) -> AbstractContextManager[None]:
    """JSON is for programs: it goes where it is sent."""
    if as_json or not rich_console.is_drawn():
        return nullcontext()
    from hldctl.cli.terminal.programs import paged

    return paged()


def _draw(found: Inspection, state: StateDirectory) -> None:
    # Only here: a pipe has no use for what draws.
    from hldctl.cli.render import session_page
    from hldctl.sessions import activity

    session = found.session
    with reading(state):
        doing = activity.of_all().get(session.id)
        last_words = None if doing is None else activity.last_words(session.id)
    page = session_page.Page(found, str(state.session(session.id).directory), doing, last_words)
    session_page.draw(page, rich_console.console())


def _whole_object(found: Inspection) -> dict[str, Any]:
    servers = [json_view.mcp_server_object(server) for server in found.mcp_servers]
    left = [{"pid": process.pid, "command": process.command} for process in found.left_running]
    more = {"children": found.children, "mcp_servers": servers, "left_running": left, "rules": found.rules}
    return json_view.session_object(found.session) | more


def _print_events(state: StateDirectory, session_id: str, *, as_json: bool) -> None:
    conversation = follow.events(state, [session_id])
    if as_json:
        output.json_value([json_view.event_object(event) for event in conversation])
    else:
        for event in conversation:
            output.data("\n".join(lines(event)))


def _print_snapshots(snapshots: list[SnapshotRow], *, as_json: bool) -> None:
    if as_json:
        output.json_value([json_view.snapshot_object(snapshot) for snapshot in snapshots])
        return
    for snapshot in snapshots:
        output.data(f"==> {output.one_line(snapshot.file_path)} <==")
        output.data(output.harmless(snapshot.content))


def _print(found: Inspection, state: StateDirectory) -> None:
    shown = json_view.session_object(found.session)
    for name, value in shown.items():
        if value not in (None, [], False, "") and name not in _ELSEWHERE:
            _print_line(name.replace("_", " "), _text(value))
    if denials := shown["permission_denials"]:
        _print_line("permission denials", denied_tools(denials))
    for approval in found.waiting:
        since = age(time.time() - approval.created_at / 1000)
        _print_line("waits for permission", f"{pending_request(approval)}, since {since}")
    for rule in found.rules:
        _print_line("always allowed", output.shortened(f"{rule['id']}: {rule['words']}", _WIDEST_RULE))
    if found.elsewhere:
        _print_line("runs", found.elsewhere)
    for child in found.children:
        _print_line("continued by", child)
    for server in found.mcp_servers:
        _print_line("mcp server", _server_text(server, ended=found.session.completed_at is not None))
    for process in found.left_running:
        _print_line("still running", output.one_line(f"{process.pid} {process.command}"))
    for name, count in _fold_notes(found.session).items():
        _print_line(name, str(count))
    _print_line("files", str(state.session(found.session.id).directory))
    for name in ("query", "result_content"):
        if shown[name]:
            output.data(f"\n{name.replace('_', ' ')}:\n{output.harmless(shown[name])}")


def _print_line(name: str, value: str) -> None:
    output.data(f"{output.one_line(name):<28}{value}")


def _server_text(server: McpServerRow, *, ended: bool) -> str:
    kind = f" ({server.transport})" if server.transport else ""
    unknown = "never started" if ended else "not started yet"
    return output.one_line(f"{server.name}{kind} {server.status or unknown}")


def _fold_notes(session: Session) -> dict[str, int]:
    """What of the journal was passed over."""
    notes = {f"unknown {kind}": count for kind, count in session.fold_state["unknown_lines"].items()}
    unreadable = session.fold_state["unreadable_lines"]
    return ({"unreadable lines": unreadable} if unreadable else {}) | notes


def _text(value: Any) -> str:
    if isinstance(value, list):
        return output.one_line(", ".join(map(str, value)))
    if isinstance(value, float):
        return f"{value:.4f}"
    return "yes" if value is True else output.one_line(str(value))
