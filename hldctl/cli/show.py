"""`hldctl show`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hldctl.cli import output
from hldctl.cli.conversation import lines
from hldctl.host.paths import StateDirectory
from hldctl.sessions import following, lookup, supervisors, view
from hldctl.store.database import opened
from hldctl.store.models import Session


def command(
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to show.")],
    events: Annotated[bool, typer.Option("--events", help="Its conversation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one session whole: settings, numbers, result."""
    state = StateDirectory.from_environment()
    with opened(state):
        session_id = lookup.find(session).id
        supervisors.adopt_lost(state, [session_id])
        found = lookup.find(session_id)
    if events:
        _print_events(state, session_id, as_json=as_json)
    elif as_json:
        output.json_value(view.session_object(found))
    else:
        _print(found, state)


def _print_events(state: StateDirectory, session_id: str, *, as_json: bool) -> None:
    conversation = following.events(state, [session_id])
    if as_json:
        output.json_value([view.event_object(event) for event in conversation])
    else:
        for event in conversation:
            output.data("\n".join(lines(event)))


def _print(session: Session, state: StateDirectory) -> None:
    shown = view.session_object(session)
    for name, value in shown.items():
        if value in (None, [], False, "") or name in ("query", "summary", "result_content", "run_id"):
            continue
        output.data(f"{name.replace('_', ' '):<28}{_text(value)}")
    for name, count in _fold_notes(session).items():
        output.data(f"{output.one_line(name):<28}{count}")
    output.data(f"{'files':<28}{state.session(session.id).directory}")
    for name in ("query", "result_content"):
        if shown[name]:
            output.data(f"\n{name.replace('_', ' ')}:\n{output.harmless(shown[name])}")


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
