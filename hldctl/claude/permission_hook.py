"""The PermissionRequest hook of Claude Code, as 2.1.330 runs it: what it asks, what it wants to hear, how it is set.

Imported by the hook, for which each millisecond counts: nothing heavy here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hldctl.claude.stream import decode, mapping, sequence, text
from hldctl.claude.tools import EDITING_TOOLS, SHELL_TOOLS, WEB_FETCH

if TYPE_CHECKING:
    from hldctl.claude.edit_rules import Area

_EVENT = "PermissionRequest"
_TIMEOUT_SECONDS = 2_000_000
"""23 days, the most that 31 bits hold in milliseconds: how long a request may wait is for hldctl to say."""
_SAYS_NOTHING = frozenset({"command", "description", "timeout"})
"""What of a shell tool's input changes nothing of how the command runs, besides the command itself."""
_OFF_BY_DEFAULT = frozenset({"dangerouslyDisableSandbox", "run_in_background"})
_ANY_ENDS = (" *", ":*")
"""What stands for any further words in a rule, in 2.1.330 and before."""
_DOMAIN = "domain:"


class Request(NamedTuple):
    """What a call needs permission for. It does not tell the id of the call."""

    tool_name: str
    tool_input: dict[str, Any]
    suggested_rule: str | None
    """Claude Code's own idea of what might be allowed for good, such as `npm run *`; it covers this call."""


def request(line: bytes) -> Request:
    """Raises ValueError for what is no request."""
    asked = decode(line)
    if asked is None:
        raise ValueError("no JSON object, or one nested too deeply")
    tool_name, tool_input = asked.get("tool_name"), asked.get("tool_input")
    if not isinstance(tool_name, str) or not isinstance(tool_input, dict):
        raise ValueError("no tool_name with a tool_input")
    return Request(tool_name, tool_input, _suggested(tool_name, tool_input, asked.get("permission_suggestions")))


def _suggested(tool_name: str, tool_input: dict[str, Any], suggestions: Any) -> str | None:
    """The first that would allow this very call; others are not understood, or about something else."""
    subject = _subject(tool_name, tool_input)
    for suggestion in map(mapping, sequence(suggestions) if subject else ()):
        if suggestion.get("type") != "addRules" or suggestion.get("behavior") != "allow":
            continue
        for rule in map(mapping, sequence(suggestion.get("rules"))):
            content = text(rule.get("ruleContent"))
            if rule.get("toolName") == tool_name and content and subject and _covers(content, tool_name, subject):
                return content
    return None


def allowance(updated_input: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"behavior": "allow"} if updated_input is None else {"behavior": "allow", "updatedInput": updated_input}


def denial(message: str, *, interrupt: bool = False) -> dict[str, Any]:
    return {"behavior": "deny", "message": message, "interrupt": interrupt}


def answer(decision: dict[str, Any]) -> str:
    """What the hook prints."""
    return json.dumps({"hookSpecificOutput": {"hookEventName": _EVENT, "decision": decision}})


class Rule(NamedTuple):
    """What is allowed for the rest of a session."""

    tool_name: str
    kind: str
    content: str = ""

    def __str__(self) -> str:
        return f"{self.tool_name}({self.content})" if self.content else self.tool_name

    def words(self) -> str:
        """Return what the rule allows, in plain English."""
        return f"{self._words()}, in this session"

    def _words(self) -> str:
        if self.kind == SUGGESTED and self.tool_name in SHELL_TOOLS:
            return f"{self.tool_name} commands that start with `{_prefix(self.content) or self.content}`"
        if self.kind == SUGGESTED:
            return f"{self.tool_name} of pages of {self.content.removeprefix(_DOMAIN)}"
        if self.kind == EXACT and self.tool_name in SHELL_TOOLS:
            return f"the {self.tool_name} command `{self.content}`"
        if self.kind == EXACT:
            return f"{self.tool_name} of {self.content}"
        if self.kind == INPUT:
            return f"{self.tool_name} with this input only: {self.content}"
        if self.kind == FILE:
            return f"edits of {self.content}"
        if self.kind == EDITS or (self.kind == WHOLE_TOOL and self.tool_name in EDITING_TOOLS):
            return "edits below the session's directories, as --auto-accept-edits allows them"
        return f"nothing of {self.tool_name}: the rule is from an earlier version, which allowed all of it"


SUGGESTED, EXACT, INPUT = "suggested", "exact", "input"
"""Kinds of rules: what Claude Code suggested (a prefix of commands, a domain); this very command or page; this very
input, as JSON with its names in order.
"""
EDITS, FILE = "edits", "file"
"""Edits where --auto-accept-edits accepts them; edits of this very file."""
WHOLE_TOOL = "tool"
"""All that a tool does. Made by earlier versions only: it counts as EDITS for a tool that edits, else as nothing."""


def lasting_rule(tool_name: str, tool_input: dict[str, Any], suggested: str | None, area: Area | None = None) -> Rule:
    """Return the rule that `--always` makes of a request. It covers the request, and no more than its words say.

    `area` is where the session may edit by rule; without it an edit is allowed for its file only.
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
    """Claude Code 2.1.331 suggests `env *` for the command `env *` itself, where the star is not a wildcard."""
    from hldctl.claude import command_prefixes

    prefix = _prefix(suggested)
    return suggested == subject or (prefix is not None and command_prefixes.is_literal(prefix, subject))


def _edits_rule(tool_name: str, tool_input: dict[str, Any], area: Area | None) -> Rule:
    # Only here: most requests are about commands.
    from hldctl.claude import edit_rules

    if area is not None and edit_rules.is_accepted(tool_name, tool_input, area):
        return Rule("Edit", EDITS)
    file = edit_rules.file(tool_name, tool_input)
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
        return rule.content == edit_rules.file(tool_name, tool_input)
    is_anywhere = rule.kind in (EDITS, WHOLE_TOOL)
    return is_anywhere and area is not None and edit_rules.is_accepted(tool_name, tool_input, area)


def _canonical(tool_input: dict[str, Any]) -> str:
    return json.dumps(tool_input, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _subject(tool_name: str, tool_input: dict[str, Any]) -> str | None:
    """Return the command or the page, where it alone says what the call does; None where all of the input counts."""
    if tool_name == WEB_FETCH:
        return text(tool_input.get("url")) or None
    if tool_name not in SHELL_TOOLS:
        return None
    # Such as `dangerouslyDisableSandbox`: the same command is another one with it.
    more = (name for name in tool_input if name not in _SAYS_NOTHING)
    if any(name not in _OFF_BY_DEFAULT or tool_input[name] is not False for name in more):
        return None
    return text(tool_input.get("command")) or None


def _covers(content: str, tool_name: str, subject: str) -> bool:
    """Return whether a rule of Claude Code's own form covers a command or a page."""
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
    """Return what commands start with under such a rule; None for a rule that is one command."""
    for ending in _ANY_ENDS:
        if content.endswith(ending):
            return content.removesuffix(ending) or None
    return None


def _host(url: str) -> str | None:
    """None for a URL that another program might read otherwise."""
    from urllib.parse import urlsplit

    if not url.isascii() or not url.isprintable() or set(url) & set("\\ @"):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def with_hook(settings: dict[str, Any] | None, command: str) -> dict[str, Any]:
    """The user's settings, and the hook behind the user's own."""
    merged = dict(settings or {})
    hooks = merged.get("hooks")
    hooks = dict(hooks) if isinstance(hooks, dict) else {}
    theirs = hooks.get(_EVENT)
    ours = {"hooks": [{"type": "command", "command": command, "timeout": _TIMEOUT_SECONDS}]}
    hooks[_EVENT] = [*(theirs if isinstance(theirs, list) else []), ours]
    return {**merged, "hooks": hooks}
