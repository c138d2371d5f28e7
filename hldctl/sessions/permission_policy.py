"""What happens to calls that need permission, from what was said, configured and inherited."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hldctl.claude.binary import OLDEST_WITH_APPROVALS, version
from hldctl.claude.settings import ClaudeSettings
from hldctl.config.schema import Configuration
from hldctl.config.values import ApprovalTimeout, approval_timeout
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.paths import StateDirectory, write_private
from hldctl.protocol.launch_request import Permissions, Terms, asks_by_hook
from hldctl.sessions.options import SessionOptions
from hldctl.sessions.permissions import caller
from hldctl.store.session import Session


def of_new_session(options: SessionOptions, configuration: Configuration, *, attended: bool, now: int) -> Permissions:
    """`attended` says whether somebody sits at a terminal, who can be asked."""
    asked = configuration.approvals if configuration.approvals is not None else attended
    if options.permission_prompt_tool is not None:
        asked = False
    base = Permissions(
        approvals=asked, on_approval=configuration.on_approval, from_session=bool(configuration.from_session)
    )
    if configuration.approval_timeout is not None:
        base = _with_timeout(base, approval_timeout(configuration.approval_timeout))
    return _with_options(base, options, now)


def of_continuation(options: SessionOptions, parent: Session, now: int) -> Permissions:
    """The parent's, as they are now, but for what is said anew."""
    inherited = Permissions(
        approvals=parent.approvals,
        auto_accept_edits=parent.auto_accept_edits,
        dangerously_skip_permissions=parent.dangerously_skip_permissions,
        dangerously_skip_permissions_expires_at=parent.dangerously_skip_permissions_expires_at,
        approval_timeout_ms=parent.approval_timeout_ms,
        approval_timeout_allows=parent.approval_timeout_allows,
        on_approval=parent.on_approval,
        from_session=parent.from_session,
    )
    if options.permission_prompt_tool is not None:
        inherited = replace(inherited, approvals=False)
    return _with_options(inherited, options, now)


def _with_options(base: Permissions, options: SessionOptions, now: int) -> Permissions:
    if options.dangerously_skip_permissions is False and options.skipping_seconds is not None:
        raise BadUsage("A timeout for skipping permissions goes with skipping them.")
    said: dict[str, Any] = {
        "approvals": options.approvals,
        "auto_accept_edits": options.auto_accept_edits,
        "on_approval": options.on_approval,
        "from_session": options.from_session,
    }
    chosen = replace(base, **{name: value for name, value in said.items() if value is not None})
    if options.approval_timeout is not None:
        chosen = _with_timeout(chosen, options.approval_timeout)
    if options.skipping_seconds is not None:
        return _skipping(chosen, now + int(options.skipping_seconds * 1000))
    if options.dangerously_skip_permissions is None:
        return chosen
    return replace(
        chosen,
        dangerously_skip_permissions=options.dangerously_skip_permissions,
        dangerously_skip_permissions_expires_at=None,
    )


def _with_timeout(permissions: Permissions, timeout: ApprovalTimeout) -> Permissions:
    return replace(permissions, approval_timeout_ms=timeout.milliseconds, approval_timeout_allows=timeout.allows)


def _skipping(permissions: Permissions, expires_at: int) -> Permissions:
    return replace(permissions, dangerously_skip_permissions=True, dangerously_skip_permissions_expires_at=expires_at)


_WIDE_MODES = ("acceptEdits", "bypassPermissions")
_WIDE_WORDS = ("--dangerously-skip-permissions", "--allow-dangerously-skip-permissions")
_MODE = "--permission-mode"


def are_wide(permissions: Permissions, settings: ClaudeSettings) -> bool:
    """Whether calls are allowed that nobody has seen, or the session may allow them itself."""
    return (
        permissions.auto_accept_edits
        or permissions.dangerously_skip_permissions
        or bool(permissions.approval_timeout_allows)
        or permissions.from_session
        or settings.permission_mode in _WIDE_MODES
        or _say_wide(settings.extra_arguments)
    )


def are_widened(options: SessionOptions) -> bool:
    """Whether what was said of a new session allows such calls."""
    return (
        bool(options.auto_accept_edits or options.dangerously_skip_permissions or options.from_session)
        or options.skipping_seconds is not None
        or (options.approval_timeout is not None and options.approval_timeout.allows)
        or options.permission_mode in _WIDE_MODES
        or _say_wide(options.extra_arguments or ())
    )


def _say_wide(words: Sequence[str]) -> bool:
    """Of the words for Claude Code itself."""
    modes = [word.partition("=")[2] for word in words if word.startswith(f"{_MODE}=")]
    modes += [mode for name, mode in itertools.pairwise(words) if name == _MODE]
    return bool({*modes} & {*_WIDE_MODES}) or any(word in _WIDE_WORDS for word in words)


def launcher_without_right(
    state: StateDirectory, *, widens: bool, permissions: Permissions, terms: Terms
) -> str | None:
    """Return the session without the right to answer that launches a new one, where that one has commands that get a
    token; raises WrongState where such a session widens permissions.
    """
    has_commands = permissions.on_approval is not None or terms.on_end is not None
    if not widens and not has_commands:
        return None
    within = caller.session_without_right(state)
    if widens:
        caller.refuse(within, "Widening permissions")
    return within


def require_settings(settings: ClaudeSettings) -> None:
    """Raises BadUsage where a rehearsal would not be one."""
    if _names_settings(settings):
        raise BadUsage("--settings behind -- would take the place of the rehearsal's; give it before --.")


def _names_settings(settings: ClaudeSettings) -> bool:
    return any(word.partition("=")[0] == "--settings" for word in settings.extra_arguments)


def require_hook(state: StateDirectory, claude_path: str, permissions: Permissions, settings: ClaudeSettings) -> None:
    """Raises BadUsage where something answers in place of the hook though somebody is to be asked, UnfitEnvironment for
    a Claude Code that would not ask: it would deny, and nobody would know.
    """
    if permissions.approvals and settings.permission_prompt_tool is not None:
        raise BadUsage("--permission-prompt-tool answers in place of hldctl; it does not go with --approvals.")
    if asks_by_hook(permissions, settings):
        _require_that_it_is_heeded(settings)
        _require_version(state, claude_path)


def _require_that_it_is_heeded(settings: ClaudeSettings) -> None:
    if _names_settings(settings):
        raise BadUsage(
            "--settings behind -- would take the place of the hook; give it before --, or say --no-approvals."
        )


def _require_version(state: StateDirectory, claude_path: str) -> None:
    told = _noted_version(state, claude_path)
    if told is None or told < OLDEST_WITH_APPROVALS:
        # The file may be a script that runs another one by now.
        told = _note_version(state, claude_path)
    if told is not None and told < OLDEST_WITH_APPROVALS:
        here, oldest = (".".join(map(str, numbers)) for numbers in (told, OLDEST_WITH_APPROVALS))
        raise UnfitEnvironment(
            f"Claude Code {here} at {claude_path} cannot ask for permission in the background, {oldest} can. "
            "Upgrade it, or launch with --no-approvals and without rules for permissions."
        )


def _noted_version(state: StateDirectory, claude_path: str) -> tuple[int, ...] | None:
    """As the binary said when last asked: asking takes longer than the rest of a launch. None if it is another now."""
    known = _noted(state.claude_version)
    version = known.get("version")
    if known.get("of") != _identity(claude_path) or not isinstance(version, list):
        return None
    return tuple(number for number in version if isinstance(number, int))


def _note_version(state: StateDirectory, claude_path: str) -> tuple[int, ...] | None:
    told = version(Path(claude_path))
    if told is not None:
        state.prepare()
        # A full disk is for the launch itself to report.
        with contextlib.suppress(OSError):
            noted = {"of": _identity(claude_path), "version": told}
            write_private(state.claude_version, json.dumps(noted).encode())
    return told


def _identity(claude_path: str) -> list[str | int]:
    try:
        status = os.stat(claude_path)
    except OSError as error:
        raise UnfitEnvironment(f"{claude_path} cannot be used: {error.strerror or error}.") from None
    return [claude_path, status.st_mtime_ns, status.st_size]


def _noted(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
