"""Settings of a session that can be changed at any time, even while it runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hldctl.errors import BadUsage, WrongState
from hldctl.ingest import session_record
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.sessions import live_settings, lookup
from hldctl.sessions.permissions import caller
from hldctl.states import InputKind
from hldctl.store import sessions
from hldctl.store.admission import entries
from hldctl.store.database import open_database
from hldctl.store.session import Session
from hldctl.supervisor.hooks.pending_hooks import wake_hooks
from hldctl.system.clock import current_time_ms

SKIPPING_OFF: dict[str, Any] = {
    "dangerously_skip_permissions": False,
    "dangerously_skip_permissions_expires_at": None,
}


@dataclass(frozen=True)
class SettingChanges:
    """Changes to a session's settings; None leaves a setting unchanged."""

    title: str | None = None
    name: str | None = None
    """Empty to remove the name."""
    archived: bool | None = None
    auto_accept_edits: bool | None = None
    dangerously_skip_permissions: bool | None = None
    skip_permissions_for_ms: int | None = None
    """Turn skipping on, for this long from now."""
    rules_to_remove: tuple[str, ...] = ()
    """The rules made by `--always` to remove: ids, prefixes of ids, or `all`."""
    model: str | None = None
    permission_mode: str | None = None
    effort: str | None = None
    """Empty for Claude Code's default."""

    @property
    def are_about_permissions(self) -> bool:
        permissions = (self.auto_accept_edits, self.dangerously_skip_permissions, self.skip_permissions_for_ms)
        return any(change is not None for change in permissions)

    @property
    def are_widening(self) -> bool:
        return bool(
            self.auto_accept_edits
            or self.dangerously_skip_permissions
            or self.skip_permissions_for_ms is not None
            or self.permission_mode not in (None, "default", "plan")
        )

    def requests(self) -> Iterator[tuple[InputKind, str]]:
        """Yield the changes that a running Claude Code has to make itself."""
        if self.model is not None:
            yield InputKind.MODEL, self.model
        if self.permission_mode is not None:
            yield InputKind.PERMISSION_MODE, self.permission_mode
        if self.effort is not None:
            yield InputKind.EFFORT, self.effort

    def columns(self, now: int) -> dict[str, Any]:
        named = {
            "title": self.title,
            "name": self.name,
            "archived": self.archived,
            "auto_accept_edits": self.auto_accept_edits,
            "requested_model": self.model,
            "permission_mode": self.permission_mode,
            "effort": self.effort,
        }
        columns: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        if self.name == "":
            columns["name"] = None
        if self.effort == "":
            columns["effort"] = None
        if self.skip_permissions_for_ms is not None:
            expires_at = now + self.skip_permissions_for_ms
            columns |= {"dangerously_skip_permissions": True, "dangerously_skip_permissions_expires_at": expires_at}
        elif self.dangerously_skip_permissions is not None:
            columns |= SKIPPING_OFF | {"dangerously_skip_permissions": self.dangerously_skip_permissions}
        return columns


def change_settings(state: StateDirectory, refs: Sequence[str], changes: SettingChanges) -> list[Session]:
    """Change the settings of the sessions and return the updated sessions; raise BadUsage for invalid changes.

    Nothing is changed if one of the references matches no session.
    """
    now_ms = current_time_ms()
    columns = changes.columns(now_ms)
    _validate(changes, columns)
    with open_database(state):
        if changes.are_widening:
            caller.require_right(state, "Widening permissions")
        ids = list(dict.fromkeys(lookup.find_session(ref).id for ref in refs))
        if changes.name:
            _require_free_name(changes.name, ids)
        for session_id in ids:
            state.session(session_id).require_own_directory()
        for kind, value in changes.requests():
            for session_id in ids:
                live_settings.change(state, session_id, kind, value)
        for session_id in ids:
            _change(state, session_id, columns, changes, now_ms)
        return [lookup.find_session(session_id) for session_id in ids]


def _validate(changes: SettingChanges, columns: dict[str, Any]) -> None:
    if changes.dangerously_skip_permissions is False and changes.skip_permissions_for_ms is not None:
        raise BadUsage(
            "--dangerously-skip-permissions-timeout turns skipping on; it cannot be combined with turning it off."
        )
    if not columns and not changes.rules_to_remove:
        raise BadUsage("Nothing to set; `hldctl set --help` lists the options.")
    if changes.name:
        lookup.validate_name(changes.name)


def _require_free_name(name: str, ids: Sequence[str]) -> None:
    """Raise an error if more than one session that has not ended would have the name."""
    if len(ids) > 1:
        raise BadUsage("--name names one session; give one ID.")
    holders = [session_id for session_id in entries.ids_with_name(name) if session_id not in ids]
    if holders and sessions.live_sessions(ids):
        raise WrongState(f"A session named {name} has not ended: {holders[0]}. Choose another name.")


def _change(
    state: StateDirectory, session_id: str, columns: dict[str, Any], changes: SettingChanges, now_ms: int
) -> None:
    files = state.session(session_id)
    sessions.change_settings(session_id, columns, now_ms, _rules_to_forget(session_id, changes))
    # The record is needed only if the database is lost.
    with contextlib.suppress(OSError):
        session_record.save_from_database(session_id, files)
    touch(files.wake_signal)
    touch(files.change_signal)
    if columns:
        # Removing a rule does not allow any pending request.
        wake_hooks(state, session_id)


def _rules_to_forget(session_id: str, changes: SettingChanges) -> list[sessions.ForgottenRule]:
    if not changes.rules_to_remove:
        return []
    # Imported here: other settings do not need code about Claude Code.
    from hldctl.sessions.permissions import rules

    return [(rules.rule_id(rule), rule) for rule in rules.find_rules(session_id, changes.rules_to_remove)]


def has_permission_hook(state: StateDirectory, session: Session) -> bool:
    """Return whether its Claude Code asks hldctl for permission."""
    return os.path.exists(state.session(session.id).settings_with_hook)


def has_skipping_expired(session: Session, now: int) -> bool:
    expires_at = session.dangerously_skip_permissions_expires_at
    return session.dangerously_skip_permissions and expires_at is not None and expires_at <= now
