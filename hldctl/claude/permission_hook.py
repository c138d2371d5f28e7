"""Claude Code's PermissionRequest hook (2.1.330): requests, decisions, rules and settings.

The hook imports this module, and each millisecond of it counts: no expensive imports here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hldctl.claude.stream import decode, mapping, sequence, text
from hldctl.claude.tools import EDITING_TOOLS, SHELL_TOOLS, WEB_FETCH
from hldctl.states import ASKING_TOOLS

if TYPE_CHECKING:
    from hldctl.claude.edit_rules import Area

_EVENT = "PermissionRequest"
# 23 days, close to the limit of 31 bits in milliseconds: hldctl decides how long a request may wait.
_TIMEOUT_SECONDS = 2_000_000
# Arguments of a shell tool that have no effect on how the command runs, and the command itself.
_NEUTRAL_ARGUMENTS = frozenset({"command", "description", "timeout"})
# What Claude Code suggests if it asks because of a path that a command writes to. With `--permission-prompt-tool stdio`
# it suggests a prefix as well (2.1.332), such as `rm made *` for `rm made`, which allows more than anybody expects.
_PATH_SUGGESTIONS = frozenset({"addDirectories", "setMode"})
_OFF_BY_DEFAULT = frozenset({"dangerouslyDisableSandbox", "run_in_background"})
# The wildcards for any further words in a rule, in 2.1.330 and before.
_WILDCARDS = (" *", ":*")
_DOMAIN = "domain:"


class Request(NamedTuple):
    """A tool call that needs permission. The request does not contain the id of the call."""

    tool_name: str
    tool_input: dict[str, Any]
    suggested_rule: str | None
    """Claude Code's suggestion for a permanent rule, such as `npm run *`; it covers this call."""


def parse_request(line: bytes) -> Request:
    """Return the request in the hook's input. Raise ValueError if it is not a request."""
    values = decode(line)
    if values is None:
        raise ValueError("not a JSON object, or nested too deeply")
    tool_name, tool_input = values.get("tool_name"), values.get("tool_input")
    if not isinstance(tool_name, str) or not isinstance(tool_input, dict):
        raise ValueError("the tool_name or the tool_input is missing")
    return Request(tool_name, tool_input, _suggested_rule(tool_name, tool_input, values.get("permission_suggestions")))


def _suggested_rule(tool_name: str, tool_input: dict[str, Any], suggestions: Any) -> str | None:
    """Return the first suggestion that would allow this call; unknown and unrelated ones are ignored."""
    subject = _subject(tool_name, tool_input)
    suggested = list(map(mapping, sequence(suggestions) if subject else ()))
    if tool_name in SHELL_TOOLS and any(suggestion.get("type") in _PATH_SUGGESTIONS for suggestion in suggested):
        return None
    for suggestion in suggested:
        if suggestion.get("type") != "addRules" or suggestion.get("behavior") != "allow":
            continue
        for rule in map(mapping, sequence(suggestion.get("rules"))):
            content = text(rule.get("ruleContent"))
            if rule.get("toolName") == tool_name and content and subject and _covers(content, tool_name, subject):
                return content
    return None


def call_allowance(
    tool_name: str, tool_input: dict[str, Any], updated_input: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the decision that allows this call, or runs it with another input.

    For a tool that asks the user, Claude Code 2.1.332 ignores an allowance without an input, and waits.
    """
    if updated_input is None and tool_name in ASKING_TOOLS:
        return allowance(tool_input)
    return allowance(updated_input)


def allowance(updated_input: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"behavior": "allow"} if updated_input is None else {"behavior": "allow", "updatedInput": updated_input}


def denial(message: str, *, interrupt: bool = False) -> dict[str, Any]:
    return {"behavior": "deny", "message": message, "interrupt": interrupt}


def updated_input(decision: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the input that an allowance runs the tool with instead; None if it leaves the input as it is."""
    changed = None if decision is None else decision.get("updatedInput")
    return changed if isinstance(changed, dict) else None


def message_to_model(decision: dict[str, Any] | None) -> str | None:
    """Return the message of a denial; None for any other decision."""
    return None if decision is None else text(decision.get("message")) or None


def hook_output(decision: dict[str, Any]) -> str:
    """Return the output of the hook for a decision."""
    return json.dumps({"hookSpecificOutput": {"hookEventName": _EVENT, "decision": decision}})


class Rule(NamedTuple):
    """A rule that allows calls for the rest of a session."""

    tool_name: str
    kind: str
    content: str = ""

    def __str__(self) -> str:
        return f"{self.tool_name}({self.content})" if self.content else self.tool_name

    def description(self) -> str:
        """Return what the rule allows, in plain English."""
        return f"{self._description()}, in this session"

    def _description(self) -> str:
        if self.kind == SUGGESTED and self.tool_name in SHELL_TOOLS:
            return f"{self.tool_name} commands that start with `{_prefix(self.content) or self.content}`"
        if self.kind == SUGGESTED:
            return f"{self.tool_name} of pages on {self.content.removeprefix(_DOMAIN)}"
        if self.kind == EXACT and self.tool_name in SHELL_TOOLS:
            return f"the {self.tool_name} command `{self.content}`"
        if self.kind == EXACT:
            return f"{self.tool_name} of {self.content}"
        if self.kind == INPUT:
            return f"{self.tool_name} with this input only: {self.content}"
        if self.kind == FILE:
            return f"edits of {self.content}"
        if self.kind == EDITS or (self.kind == WHOLE_TOOL and self.tool_name in EDITING_TOOLS):
            return "edits in the session's directories, as with --auto-accept-edits"
        return f"no {self.tool_name} calls: the rule is from an earlier version, which allowed all of them"


SUGGESTED, EXACT, INPUT = "suggested", "exact", "input"
"""Kinds of rules: Claude Code's suggestion (a command prefix or a domain); exactly this command or page; exactly this
input, as JSON with sorted keys.
"""
EDITS, FILE = "edits", "file"
"""Kinds of rules: the edits that --auto-accept-edits accepts; edits of exactly this file."""
WHOLE_TOOL = "tool"
"""Kind of rule made only by earlier versions: all calls of a tool. It counts as EDITS for a tool that edits, and allows
nothing for any other tool.
"""


def lasting_rule(tool_name: str, tool_input: dict[str, Any], suggested: str | None, area: Area | None = None) -> Rule:
    """Return the rule that `--always` creates for a request. It covers the request, and no more than it describes.

    `area` is where the session may edit by rule; without it only edits of the same file are allowed.
    """
    if tool_name in EDITING_TOOLS:
        return _edits_rule(tool_name, tool_input, area)
    subject = _subject(tool_name, tool_input)
    if subject is None:
        return Rule(tool_name, INPUT, _canonical(tool_input))
    if suggested is not None and _covers(suggested, tool_name, subject) and not _is_literal(suggested, subject):
        return Rule(tool_name, SUGGESTED, suggested)
    return Rule(tool_name, EXACT, subject)


def _is_literal(suggested: str, subject: str) -> bool:
    """Return whether the star of the suggestion is part of the command itself.

    Claude Code 2.1.331 suggests `env *` for the command `env *`, where the star is not a wildcard.
    """
    from hldctl.claude import command_prefixes

    prefix = _prefix(suggested)
    return suggested == subject or (prefix is not None and command_prefixes.is_literal(prefix, subject))


def _edits_rule(tool_name: str, tool_input: dict[str, Any], area: Area | None) -> Rule:
    # Imported late: most requests are for commands.
    from hldctl.claude import edit_rules

    if area is not None and edit_rules.is_accepted(tool_name, tool_input, area):
        return Rule("Edit", EDITS)
    file = edit_rules.edited_file(tool_name, tool_input)
    return Rule(tool_name, INPUT, _canonical(tool_input)) if file is None else Rule("Edit", FILE, file)


def is_allowed(rule: Rule, tool_name: str, tool_input: dict[str, Any], area: Area | None = None) -> bool:
    """Return whether the rule covers the call; a rule of an unknown kind covers nothing."""
    if tool_name in EDITING_TOOLS and rule.tool_name in EDITING_TOOLS and rule.kind != INPUT:
        return _allows_edit(rule, tool_name, tool_input, area)
    if rule.tool_name != tool_name:
        return False
    if rule.kind == INPUT:
        return rule.content == _canonical(tool_input)
    subject = _subject(tool_name, tool_input)
    if not subject:
        return False
    if rule.kind == EXACT:
        return rule.content == subject
    return rule.kind == SUGGESTED and _covers(rule.content, tool_name, subject)


def _allows_edit(rule: Rule, tool_name: str, tool_input: dict[str, Any], area: Area | None) -> bool:
    from hldctl.claude import edit_rules

    if rule.kind == FILE:
        return rule.content == edit_rules.edited_file(tool_name, tool_input)
    is_anywhere = rule.kind in (EDITS, WHOLE_TOOL)
    return is_anywhere and area is not None and edit_rules.is_accepted(tool_name, tool_input, area)


def _canonical(tool_input: dict[str, Any]) -> str:
    return json.dumps(tool_input, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _subject(tool_name: str, tool_input: dict[str, Any]) -> str | None:
    """Return the command or the page if it alone determines the call; None if the whole input matters."""
    if tool_name == WEB_FETCH:
        return text(tool_input.get("url")) or None
    if tool_name not in SHELL_TOOLS:
        return None
    # Arguments such as `dangerouslyDisableSandbox` change what the command does.
    other_arguments = (name for name in tool_input if name not in _NEUTRAL_ARGUMENTS)
    if any(name not in _OFF_BY_DEFAULT or tool_input[name] is not False for name in other_arguments):
        return None
    return text(tool_input.get("command")) or None


def _covers(content: str, tool_name: str, subject: str) -> bool:
    """Return whether a rule in Claude Code's syntax covers a command or a page."""
    if tool_name in SHELL_TOOLS:
        return subject == content or _covers_command(content, subject)
    return content.startswith(_DOMAIN) and _host(subject) == content.removeprefix(_DOMAIN)


def _covers_command(content: str, command: str) -> bool:
    prefix = _prefix(content)
    if prefix is None:
        return False
    from hldctl.claude import command_prefixes

    return command_prefixes.is_narrow(prefix) and command_prefixes.covers(prefix, command)


def _prefix(content: str) -> str | None:
    """Return the command prefix of a rule with a wildcard; None for a rule that is a single command."""
    for wildcard in _WILDCARDS:
        if content.endswith(wildcard):
            return content.removesuffix(wildcard) or None
    return None


def _host(url: str) -> str | None:
    """Return the host of a URL; None if another program might parse the URL differently."""
    from urllib.parse import urlsplit

    if not url.isascii() or not url.isprintable() or set(url) & set("\\ @"):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def add_hook(settings: dict[str, Any] | None, command: str) -> dict[str, Any]:
    """Return the user's settings with hldctl's hook added after the user's own hooks."""
    merged = dict(settings or {})
    hooks = merged.get("hooks")
    hooks = dict(hooks) if isinstance(hooks, dict) else {}
    user_hooks = hooks.get(_EVENT)
    own_hook = {"hooks": [{"type": "command", "command": command, "timeout": _TIMEOUT_SECONDS}]}
    hooks[_EVENT] = [*(user_hooks if isinstance(user_hooks, list) else []), own_hook]
    return {**merged, "hooks": hooks}
