"""The run policy and permissions of a new session, from its options, the configuration and its parent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hldctl.claude.stream import mapping
from hldctl.config import schema
from hldctl.config.schema import Configuration
from hldctl.errors import BadUsage, WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions.options import SessionOptions
from hldctl.sessions.permissions import caller
from hldctl.settings.claude import WIDE_MODES, ClaudeOptions
from hldctl.settings.option import chosen_values, inherited_values
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy
from hldctl.store import sessions
from hldctl.store.database import open_database
from hldctl.store.session import Session


def new_run_policy(options: SessionOptions, configuration: Configuration) -> RunPolicy:
    """Return the run policy of a session without a parent; `options` include the configured defaults."""
    return _run_policy({}, options, configuration)


def continued_run_policy(options: SessionOptions, parent: Session, configuration: Configuration) -> RunPolicy:
    """Return the parent's run policy with the options given now."""
    return _run_policy(inherited_values(RunPolicy, parent), options, configuration)


def _run_policy(base: dict[str, Any], options: SessionOptions, configuration: Configuration) -> RunPolicy:
    group = options.given.get("group")
    if group is not None and group not in configuration.groups:
        raise BadUsage(
            f"Unknown group {group!r}. Define it in {schema.path()}: under [groups], set how many of its sessions "
            f"may run, as in {group} = 2."
        )
    values = base | chosen_values(RunPolicy, options.given, 0)
    for command in ("on_end", "check_command"):
        if not (values.get(command) or "").strip():
            # An empty command turns off the configured or inherited one.
            values[command] = None
    return RunPolicy(**values)


def require_affordable(configuration: Configuration, max_budget_usd: float | None, group: str | None) -> None:
    """Raise BadUsage if a session may spend more than a whole budget: it could never start."""
    too_small = [
        limit
        for limit in configuration.budgets.limits
        if limit.applies_to(group) and max_budget_usd is not None and max_budget_usd > limit.usd
    ]
    if too_small:
        limit = min(too_small, key=lambda each: each.usd)
        raise BadUsage(
            f"--max-budget-usd {max_budget_usd:g} is more than {limit.key} = {limit.usd:g} in {schema.path()}, so the "
            "session could never start; lower the one or raise the other."
        )


def new_permissions(options: SessionOptions, configured: Mapping[str, Any], *, attended: bool, now: int) -> Permissions:
    """Return the permissions of a session without a parent.

    `configured` are the options of the configuration file; `attended` says whether a person at a terminal can be asked.
    """
    base = {"approvals": attended} | chosen_values(Permissions, configured, now)
    return _permissions(base, options, now)


def continued_permissions(options: SessionOptions, parent: Session, now: int) -> Permissions:
    """Return the parent's current permissions with the options given."""
    return _permissions(inherited_values(Permissions, parent), options, now)


def _permissions(base: dict[str, Any], options: SessionOptions, now: int) -> Permissions:
    given = options.given
    if given.get("dangerously_skip_permissions") is False and "dangerously_skip_permissions_timeout" in given:
        raise BadUsage(
            "--dangerously-skip-permissions-timeout turns skipping on; it cannot be combined with turning it off."
        )
    if "permission_prompt_tool" in given:
        base = base | {"approvals": False}
    return Permissions(**(base | chosen_values(Permissions, given, now)))


_WIDE_FLAGS = ("--dangerously-skip-permissions", "--allow-dangerously-skip-permissions")
_MODE_OPTION = "--permission-mode"


def are_wide(permissions: Permissions, settings: ClaudeOptions) -> bool:
    """Return whether calls are allowed without anybody seeing them, or the session may allow them itself."""
    return (
        permissions.auto_accept_edits
        or permissions.dangerously_skip_permissions
        or bool(permissions.approval_timeout_allows)
        or permissions.from_session
        or settings.permission_mode in WIDE_MODES
        or _arguments_are_wide(settings.extra_arguments)
    )


def has_wide_options(options: SessionOptions) -> bool:
    """Return whether the options of a new session request wide permissions."""
    given = options.given
    timeout = given.get("approval_timeout")
    return (
        any(given.get(name) for name in ("auto_accept_edits", "dangerously_skip_permissions", "from_session"))
        or "dangerously_skip_permissions_timeout" in given
        or (timeout is not None and timeout.allows)
        or given.get("permission_mode") in WIDE_MODES
        or _arguments_are_wide(options.extra_arguments or ())
    )


def are_agents_wide(agents: Mapping[str, Any] | None) -> bool:
    """Return whether one of the agents of --agents has wide permissions of its own."""
    definitions = map(mapping, (agents or {}).values())
    return any(definition.get("permissionMode") in WIDE_MODES for definition in definitions)


def _arguments_are_wide(arguments: Sequence[str]) -> bool:
    """Return whether arguments for Claude Code request wide permissions."""
    modes = [argument.partition("=")[2] for argument in arguments if argument.startswith(f"{_MODE_OPTION}=")]
    modes += [mode for name, mode in itertools.pairwise(arguments) if name == _MODE_OPTION]
    return bool({*modes} & {*WIDE_MODES}) or any(argument in _WIDE_FLAGS for argument in arguments)


def refuse_to_launch_elsewhere(state: StateDirectory) -> None:
    """Raise WrongState if the command is run from within a session with limits, which no other machine knows."""
    if not state.database.exists():
        return
    with open_database(state):
        launcher = caller.innermost_session(state)
    if launcher is None:
        return
    has_restrictions = (
        launcher.disallowed_tools
        or launcher.permission_mode in ("plan", "dontAsk")
        or state.session(launcher.id).claude_settings.exists()
    )
    if launcher.max_budget_usd is not None or (has_restrictions and not launcher.from_session):
        raise WrongState(
            f"Session {launcher.id[:8]} has a budget or restrictions, which another machine would not know; launch the "
            "new session on this one, or from a shell outside the session."
        )


def refuse_to_widen(state: StateDirectory) -> None:
    """Raise WrongState if the command is run from within a session that may not widen permissions.

    What a session with wide permissions may give to another one is decided when that is recorded.
    """
    session_id = caller.session_without_right(state)
    if session_id is None:
        return
    with open_database(state):
        session = sessions.get(session_id)
    if session is None or not are_wide(session, session):
        caller.refuse(session_id, "Widening permissions")
