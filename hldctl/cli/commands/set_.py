"""`hldctl set`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import launch_options, output
from hldctl.paths import StateDirectory
from hldctl.sessions import settings
from hldctl.store import json_view


def command(
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to change.")],
    title: Annotated[str | None, typer.Option(metavar="TITLE", help="A title, shown in lists.")] = None,
    archived: Annotated[
        bool | None, typer.Option("--archive/--unarchive", help="Hide the session in `ls`, or show it again.")
    ] = None,
    auto_accept_edits: launch_options.AutoAcceptEdits = None,
    skip: launch_options.SkipPermissions = None,
    skip_timeout: launch_options.SkipTimeout = None,
    forget_rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Remove a rule made by `approve --always`: its id in `show`, or `all`.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the session as JSON.")] = False,
) -> None:
    """Change a session's settings, even while it is running. Continuations inherit them."""
    skip_ms: int | None = skip_timeout
    changes = settings.SettingChanges(title, archived, auto_accept_edits, skip, skip_ms, tuple(forget_rule or ()))
    state = StateDirectory.from_environment()
    changed = settings.change_settings(state, session, changes)
    if (
        changes.are_about_permissions
        and changed.completed_at is None
        and not settings.has_permission_hook(state, changed)
    ):
        output.print_note(
            "this session was launched without approvals and rules; the change only applies to continuations"
        )
    if as_json:
        output.print_json(json_view.session_object(changed))
