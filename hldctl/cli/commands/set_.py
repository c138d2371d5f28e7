"""`hldctl set`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import launch_options, output
from hldctl.paths import StateDirectory
from hldctl.sessions import settings
from hldctl.states import InputKind, Status
from hldctl.store import json_view
from hldctl.store.session import Session

_NAMES = {InputKind.MODEL: "model", InputKind.PERMISSION_MODE: "permission mode", InputKind.EFFORT: "effort"}
# When a running Claude Code uses it (2.1.332).
_SINCE = {
    InputKind.MODEL: "from the next request to the model on",
    InputKind.PERMISSION_MODE: "from now on",
    InputKind.EFFORT: "from its next turn on",
}


def command(
    references: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to change.")],
    title: Annotated[str | None, typer.Option(metavar="TITLE", help="A title, shown in lists.")] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="A name to use instead of the id; empty for none.")
    ] = None,
    archived: Annotated[
        bool | None, typer.Option("--archive/--unarchive", help="Hide the session in `ls`, or show it again.")
    ] = None,
    auto_accept_edits: launch_options.AutoAcceptEdits = None,
    skip: launch_options.SkipPermissions = None,
    skip_timeout: launch_options.SkipTimeout = None,
    model: launch_options.Model = None,
    permission_mode: launch_options.PermissionMode = None,
    effort: launch_options.Effort = None,
    forget_rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Remove a rule made by `approve --always`: its id in `show`, or `all`.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the session as JSON; of several an array.")] = False,
) -> None:
    """Change the settings of sessions, even while they are running. Continuations inherit them."""
    skip_ms: int | None = skip_timeout
    changes = settings.SettingChanges(
        title,
        name,
        archived,
        auto_accept_edits,
        skip,
        skip_ms,
        tuple(forget_rule or ()),
        model,
        permission_mode,
        effort,
    )
    state = StateDirectory.from_environment()
    changed = settings.change_settings(state, references, changes)
    if changes.are_about_permissions:
        for session in changed:
            _note_missing_hook(state, session)
    for kind, value in changes.requests():
        for session in changed:
            if session.completed_at is None:
                output.print_note(f"session {session.id[:8]} uses {_setting(kind, value)} {_since(session, kind)}")
    if as_json:
        objects = [json_view.session_object(session) for session in changed]
        output.print_json(objects[0] if len(references) == 1 else objects)


def _setting(kind: InputKind, value: str) -> str:
    return f"{_NAMES[kind]} {value}" if value else f"the model's own {_NAMES[kind]}"


def _since(session: Session, kind: InputKind) -> str:
    if session.status in (Status.QUEUED, Status.STARTING):
        return "once it has started"
    return _SINCE[kind]


def _note_missing_hook(state: StateDirectory, session: Session) -> None:
    if session.completed_at is None and not settings.has_permission_hook(state, session):
        output.print_note(
            f"session {session.id[:8]} was launched without approvals and rules; "
            "the change only applies to continuations"
        )
