"""The PermissionRequest hook of Claude Code, as 2.1.330 runs it: what it asks, what it wants to hear, how it is set.

Imported by the hook, for which each millisecond counts: nothing heavy here.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hldctl.claude.stream import decode, mapping, sequence, text

EDITING_TOOLS = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write"})

_EVENT = "PermissionRequest"
_TIMEOUT_SECONDS = 31_536_000
"""A year: how long a request may wait is for hldctl to say."""
_COMMANDS_TOOL = "Bash"
_JOINS_COMMANDS = frozenset(";&|<>$`(){}\n\r\\")
_ANY_ENDS = (" *", ":*")
"""What stands for any further words in a rule, in 2.1.330 and before."""
_DOMAIN = "domain:"


class Request(NamedTuple):
    """What a call needs permission for. It does not tell the id of the call."""

    tool_name: str
    tool_input: dict[str, Any]
    suggested_rule: str | None
    """Claude Code's own idea of what might be allowed for good, such as `npm run *`."""


def request(line: bytes) -> Request:
    """Raises ValueError for what is no request."""
    asked = decode(line)
    if asked is None:
        raise ValueError("no JSON object, or one nested too deeply")
    tool_name, tool_input = asked.get("tool_name"), asked.get("tool_input")
    if not isinstance(tool_name, str) or not isinstance(tool_input, dict):
        raise ValueError("no tool_name with a tool_input")
    return Request(tool_name, tool_input, _suggested(tool_name, asked.get("permission_suggestions")))


def _suggested(tool_name: str, suggestions: Any) -> str | None:
    for suggestion in sequence(suggestions):
        for rule in map(mapping, sequence(mapping(suggestion).get("rules"))):
            if rule.get("toolName") == tool_name and (content := text(rule.get("ruleContent"))):
                return content
    return None


def allowance(updated_input: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"behavior": "allow"} if updated_input is None else {"behavior": "allow", "updatedInput": updated_input}


def denial(message: str, *, interrupt: bool = False) -> dict[str, Any]:
    return {"behavior": "deny", "message": message, "interrupt": interrupt}


def answer(decision: dict[str, Any]) -> str:
    """What the hook prints."""
    return json.dumps({"hookSpecificOutput": {"hookEventName": _EVENT, "decision": decision}})


def lasting_rule(tool_name: str, tool_input: dict[str, Any], suggested: str | None) -> str | None:
    """What `--always` allows of a tool: what Claude Code suggests, else this very command, else all that it does."""
    if suggested is not None:
        return suggested
    command = tool_input.get("command")
    return command if tool_name == _COMMANDS_TOOL and isinstance(command, str) else None


def is_allowed(rule: str | None, tool_name: str, tool_input: dict[str, Any]) -> bool:
    """Whether a rule made for that tool covers the call; one that is not understood covers nothing."""
    if rule is None:
        return True
    if tool_name == _COMMANDS_TOOL:
        return _covers_command(rule, tool_input.get("command"))
    if rule.startswith(_DOMAIN):
        url = tool_input.get("url")
        return isinstance(url, str) and _host(url) == rule.removeprefix(_DOMAIN)
    return False


def _covers_command(rule: str, command: Any) -> bool:
    if not isinstance(command, str):
        return False
    for ending in _ANY_ENDS:
        if rule.endswith(ending):
            prefix = rule.removesuffix(ending)
            # Behind a `;` or in a `$(…)` could stand anything.
            is_one = not _JOINS_COMMANDS & set(command)
            return is_one and (command == prefix or command.startswith(prefix + " "))
    return command == rule


def _host(url: str) -> str | None:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def with_hook(settings: dict[str, Any] | None, command: str) -> dict[str, Any]:
    """The user's settings, and the hook behind the user's own."""
    merged = dict(settings or {})
    hooks = merged.get("hooks")
    hooks = dict(hooks) if isinstance(hooks, dict) else {}
    theirs = hooks.get(_EVENT)
    ours = {"hooks": [{"type": "command", "command": command, "timeout": _TIMEOUT_SECONDS}]}
    hooks[_EVENT] = [*(theirs if isinstance(theirs, list) else []), ours]
    return {**merged, "hooks": hooks}
