"""The PermissionRequest hook of Claude Code, as 2.1.330 runs it: what it asks, what it wants to hear, how it is set.

Imported by the hook, for which each millisecond counts: nothing heavy here.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hldctl.claude.stream import decode, mapping, sequence, text

EDITING_TOOLS = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write"})

_EVENT = "PermissionRequest"
_TIMEOUT_SECONDS = 2_000_000
"""23 days, the most that 31 bits hold in milliseconds: how long a request may wait is for hldctl to say."""
_COMMANDS_TOOL = "Bash"
_SUBJECTS = {_COMMANDS_TOOL: "command", "WebFetch": "url"}
_JOINS_COMMANDS = frozenset(";&|<>$`(){}\n\r\\")
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
    for suggestion in map(mapping, sequence(suggestions)):
        if suggestion.get("type") != "addRules" or suggestion.get("behavior") != "allow":
            continue
        for rule in map(mapping, sequence(suggestion.get("rules"))):
            content = text(rule.get("ruleContent"))
            if rule.get("toolName") == tool_name and content and _covers(content, tool_name, tool_input):
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


WHOLE_TOOL, SUGGESTED, EXACT = "tool", "suggested", "exact"
"""Kinds of rules: whatever the tool does; what Claude Code suggested; this very command or page."""


def lasting_rule(tool_name: str, tool_input: dict[str, Any], suggested: str | None) -> Rule:
    """What `--always` allows: as Claude Code suggests, else this very command or page, else all that the tool does."""
    if suggested is not None:
        return Rule(tool_name, SUGGESTED, suggested)
    subject = _subject(tool_name, tool_input)
    return Rule(tool_name, WHOLE_TOOL) if subject is None else Rule(tool_name, EXACT, subject)


def is_allowed(rule: Rule, tool_name: str, tool_input: dict[str, Any]) -> bool:
    """Whether the rule covers the call; one that is not understood covers nothing."""
    if rule.tool_name != tool_name:
        return False
    if rule.kind == WHOLE_TOOL:
        return True
    if rule.kind == EXACT:
        return rule.content == _subject(tool_name, tool_input)
    return rule.kind == SUGGESTED and _covers(rule.content, tool_name, tool_input)


def _subject(tool_name: str, tool_input: dict[str, Any]) -> str | None:
    """What of the input tells one call of the tool from another, where it is too much to allow them all."""
    name = _SUBJECTS.get(tool_name)
    return None if name is None else text(tool_input.get(name)) or ""


def _covers(content: str, tool_name: str, tool_input: dict[str, Any]) -> bool:
    subject = _subject(tool_name, tool_input)
    if not subject:
        return False
    if tool_name == _COMMANDS_TOOL:
        return _covers_command(content, subject)
    return content.startswith(_DOMAIN) and _host(subject) == content.removeprefix(_DOMAIN)


def _covers_command(content: str, command: str) -> bool:
    for ending in _ANY_ENDS:
        if content.endswith(ending):
            prefix = content.removesuffix(ending)
            # Behind a `;` or in a `$(…)` could stand anything.
            is_one = not _JOINS_COMMANDS & set(command)
            return bool(prefix) and is_one and (command == prefix or command.startswith(prefix + " "))
    return command == content


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
