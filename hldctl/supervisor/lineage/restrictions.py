"""What a launching session may give to another one: at most what it may do itself.

More that was asked for is refused. More that comes from the configuration, or from a session that is continued, is
reduced, and reported.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from hldctl.errors import WrongState
from hldctl.paths import StateDirectory
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.settings.claude import WIDE_MODES
from hldctl.store import sessions
from hldctl.store.session import Session

# From the narrowest; of two with one rank, neither includes the other.
_RANKS = {"plan": 0, "dontAsk": 1, "default": 2, "manual": 2, "acceptEdits": 3, "auto": 3, "bypassPermissions": 4}
_PLAIN_MODES = (None, "default", "manual")
_WIDE_FLAGS = ("--dangerously-skip-permissions", "--permission-mode=bypassPermissions")
_BUDGET_ARGUMENT = (
    "--max-budget-usd after -- cannot be used by a session that has a budget itself; write it before the --."
)


class Restricted(NamedTuple):
    """A request that asks for no more than its launchers have."""

    request: LaunchRequest
    reduced: tuple[str, ...] = ()
    """The settings that were changed for that, as options."""


def restrict(request: LaunchRequest, state: StateDirectory, now: int) -> Restricted:
    """Return the request with at most the permissions of the sessions that launch it; raise WrongState for more.

    A forged marker adds the restrictions of the session that it names. One with --from-session adds none, and nothing
    is known of one of another machine. Needs an open database; `now` is in milliseconds since 1970.
    """
    reduced: list[str] = []
    for session_id in dict.fromkeys((request.launched_by, request.marker)):
        launcher = None if session_id is None else sessions.get(session_id)
        if launcher is None:
            continue
        request = _inherit(request, launcher)
        if launcher.max_budget_usd is not None and _has_own_budget(request.settings.extra_arguments):
            raise WrongState(_BUDGET_ARGUMENT)
        if not launcher.from_session:
            comparison = _Comparison(request, launcher, state, now)
            request = comparison.restricted()
            reduced += comparison.reduced
    return Restricted(request, tuple(dict.fromkeys(reduced)))


def _inherit(request: LaunchRequest, launcher: Session) -> LaunchRequest:
    """Return the request with the launcher's group, and private as it is."""
    policy = request.run_policy
    if policy.group_name is None:
        policy = replace(policy, group_name=launcher.group_name)
    if launcher.private and not (launcher.from_session and "private" in request.chosen):
        policy = replace(policy, private=True)
    return replace(request, run_policy=policy)


class _Comparison:
    """The comparison of a request with one launcher."""

    def __init__(self, request: LaunchRequest, launcher: Session, state: StateDirectory, now: int) -> None:
        self._request = request
        self._launcher = launcher
        self._settings_file = state.session(launcher.id).claude_settings
        self._skips_until = _skips_until(launcher, now)
        self.reduced: list[str] = []

    def restricted(self) -> LaunchRequest:
        """Return the request with what the launcher may give."""
        self._mode()
        self._skipping()
        self._edits()
        self._timeout()
        self._right()
        self._tools()
        self._built_in_tools()
        self._agents()
        self._requests()
        self._directories()
        self._claude_settings()
        self._arguments()
        return self._request

    @property
    def _may_all(self) -> bool:
        return self._skips_until == math.inf

    def _mode(self) -> None:
        mode, own = self._request.settings.permission_mode, self._launcher.permission_mode
        is_same = mode == own or (mode in _PLAIN_MODES and own in _PLAIN_MODES)
        if not (is_same or _rank(mode) < _rank(own) or self._may_all):
            self._reduce(f"--permission-mode {mode}", "permission_mode", f"--permission-mode {own or 'default'}")
            self._change_settings(permission_mode=own)

    def _skipping(self) -> None:
        permissions = self._request.permissions
        if not permissions.dangerously_skip_permissions:
            return
        option = "--dangerously-skip-permissions"
        if self._skips_until is None:
            for name in ("dangerously_skip_permissions", "dangerously_skip_permissions_timeout"):
                self._reduce(option, name, f"--no-{option[2:]}")
            self._change_permissions(dangerously_skip_permissions=False, dangerously_skip_permissions_expires_at=None)
        elif (permissions.dangerously_skip_permissions_expires_at or math.inf) > self._skips_until:
            self.reduced.append(f"{option} as long as the launching session")
            self._change_permissions(dangerously_skip_permissions_expires_at=int(self._skips_until))

    def _edits(self) -> None:
        has_edits = self._launcher.auto_accept_edits or _rank(self._launcher.permission_mode) > _RANKS["default"]
        if self._request.permissions.auto_accept_edits and not (has_edits or self._may_all):
            self._reduce("--auto-accept-edits", "auto_accept_edits", "--no-auto-accept-edits")
            self._change_permissions(auto_accept_edits=False)

    def _timeout(self) -> None:
        permissions, own = self._request.permissions, self._launcher
        if not permissions.approval_timeout_allows or self._may_all:
            return
        if not own.approval_timeout_allows or (permissions.approval_timeout_ms or 0) < (own.approval_timeout_ms or 0):
            self._reduce("--approval-timeout …=allow", "approval_timeout", "--approval-timeout …=deny")
            self._change_permissions(approval_timeout_allows=False)

    def _right(self) -> None:
        if self._request.permissions.from_session:
            self._reduce("--from-session", "from_session", "--no-from-session")
            self._change_permissions(from_session=False)

    def _tools(self) -> None:
        settings, own = self._request.settings, self._launcher
        extra = [] if self._may_all else [tool for tool in settings.allowed_tools if not _covers(own, tool)]
        if extra:
            self._reduce(f"--allowed-tools {','.join(extra)}", "allowed_tools", f"without {', '.join(extra)}")
            self._change_settings(allowed_tools=tuple(tool for tool in settings.allowed_tools if tool not in extra))
        forbidden = tuple(tool for tool in own.disallowed_tools if tool not in settings.disallowed_tools)
        if forbidden:
            self.reduced.append(f"--disallowed-tools {','.join(forbidden)}")
            self._change_settings(disallowed_tools=(*settings.disallowed_tools, *forbidden))

    def _built_in_tools(self) -> None:
        """Give none of Claude Code's tools that the launcher does not have."""
        tools, own = self._request.settings.tools, self._launcher.tools
        if own is None:
            return
        extra = own if tools is None else tuple(tool for tool in tools if tool not in own)
        if not extra and tools is not None:
            return
        kept = own if tools is None else tuple(tool for tool in tools if tool in own)
        option = "--tools default" if tools is None else f"--tools {','.join(extra)}"
        self._reduce(option, "tools", f"--tools {','.join(kept)}")
        self._change_settings(tools=kept)

    def _agents(self) -> None:
        """Give no agent that may do more: its definition can hold a permission mode, hooks and MCP servers."""
        if self._may_all:
            return
        settings, own = self._request.settings, self._launcher
        if "agents" in self._request.chosen:
            self._refuse("--agents")
        if "agent" in self._request.chosen and settings.agent not in (None, own.agent):
            self._refuse(f"--agent {settings.agent}")
        wide = {
            name: definition
            for name, definition in (settings.agents or {}).items()
            if definition.get("permissionMode") in WIDE_MODES
        }
        if wide:
            self.reduced.append(f"without the permission mode of {', '.join(wide)}")
            narrow = {
                name: {key: value for key, value in definition.items() if key != "permissionMode"}
                for name, definition in wide.items()
            }
            self._change_settings(agents={**(settings.agents or {}), **narrow})

    def _requests(self) -> None:
        """Let the same person answer the requests."""
        if self._request.settings.permission_prompt_tool is not None and not self._may_all:
            option = "--permission-prompt-tool"
            self._reduce(option, "permission_prompt_tool", f"without {option}")
            self._change_settings(permission_prompt_tool=None)
        if self._launcher.approvals and not self._request.permissions.approvals:
            self.reduced.append("--approvals")
            self._change_permissions(approvals=True)

    def _directories(self) -> None:
        if self._may_all:
            return
        settings = self._request.settings
        if not self._is_inside(self._place(settings.working_dir)):
            self._refuse(f"--working-dir {settings.working_dir}")
        outside = [each for each in settings.additional_directories if not self._is_inside(each)]
        if outside:
            self._reduce(f"--add-dir {outside[0]}", "add_dir", f"without --add-dir {', '.join(outside)}")
            inside = tuple(each for each in settings.additional_directories if each not in outside)
            self._change_settings(additional_directories=inside)

    def _place(self, working_dir: str) -> str:
        """Return the directory that stands for the working directory: of a worktree, that of its repository."""
        worktree, own = self._request.worktree, self._launcher.worktree
        if worktree is None:
            return working_dir
        is_same = own is not None and own["repository"] == worktree["repository"]
        return self._launcher.working_dir if is_same else str(worktree["repository"])

    def _is_inside(self, directory: str) -> bool:
        allowed = (self._launcher.working_dir, *self._launcher.additional_directories)
        path = os.path.realpath(directory)
        return any(os.path.commonpath((path, root)) == root for root in map(os.path.realpath, allowed))

    def _claude_settings(self) -> None:
        """Hand on the launcher's settings, which may forbid something."""
        if not self._may_all:
            for option, name in (("--settings", "settings"), ("--mcp-config", "mcp_config")):
                if name in self._request.chosen:
                    self._refuse(option)
        own, settings = self._own_settings(), self._request.settings
        if own is None or settings.claude_settings == own or "settings" in self._request.chosen:
            return
        if settings.claude_settings is not None:
            self._refuse("--settings of the session that it continues")
        self.reduced.append("--settings")
        self._change_settings(claude_settings=own)

    def _own_settings(self) -> dict[str, Any] | None:
        try:
            own: dict[str, Any] = json.loads(self._settings_file.read_bytes())
        except FileNotFoundError:
            return None
        return own

    def _arguments(self) -> None:
        is_same = self._request.settings.extra_arguments == self._launcher.extra_arguments
        if "extra_arguments" in self._request.chosen and not is_same and not self._may_all:
            self._refuse("arguments after --")

    def _reduce(self, option: str, name: str, instead: str) -> None:
        """Report what the new session gets instead of an option; raise WrongState if the option was asked for."""
        if name in self._request.chosen:
            self._refuse(option)
        self.reduced.append(instead)

    def _refuse(self, option: str) -> None:
        raise WrongState(
            f"Session {self._launcher.id[:8]} may not give {option}, which it does not have itself; launch the new "
            "session with less, or from a shell outside the session."
        )

    def _change_settings(self, **values: Any) -> None:
        self._request = replace(self._request, settings=replace(self._request.settings, **values))

    def _change_permissions(self, **values: Any) -> None:
        self._request = replace(self._request, permissions=replace(self._request.permissions, **values))


def _has_own_budget(arguments: Sequence[str]) -> bool:
    return any(argument.partition("=")[0] == "--max-budget-usd" for argument in arguments)


def _rank(mode: str | None) -> int:
    return _RANKS[mode or "default"]


def _skips_until(session: Session, now: int) -> float | None:
    """Return until when a session may do everything: for ever, or a time in milliseconds; None if it may not."""
    flags = set(session.extra_arguments) & set(_WIDE_FLAGS)
    if session.permission_mode == "bypassPermissions" or flags:
        return math.inf
    expires_at = session.dangerously_skip_permissions_expires_at
    if not session.dangerously_skip_permissions or (expires_at is not None and expires_at <= now):
        return None
    return math.inf if expires_at is None else expires_at


def _covers(session: Session, tool: str) -> bool:
    """Return whether a session may use a tool, as --allowed-tools names it, without asking."""
    name = tool.partition("(")[0]
    wider: tuple[str, ...] = (tool, name, f"{name}(*)")
    if name.startswith("mcp__"):
        wider += ("__".join(name.split("__")[:2]),)
    return not set(wider).isdisjoint(session.allowed_tools)
