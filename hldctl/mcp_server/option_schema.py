"""The options of a session as JSON Schema, made of their declarations."""

from __future__ import annotations

from enum import EnumMeta
from operator import attrgetter
from typing import Any

from hldctl.sessions.options import OPTIONS
from hldctl.settings.claude import PERMISSION_MODES
from hldctl.settings.option import DOLLARS, Option

# They run commands, answer for the user, or widen permissions beyond what can be seen in a call, or are for tests.
_NOT_OFFERED = frozenset(
    {
        *("dangerously_skip_permissions", "dangerously_skip_permissions_timeout", "from_session", "auto_accept_edits"),
        *("on_end", "on_approval", "settings", "mcp_config", "permission_prompt_tool", "env", "rehearse", "private"),
    }
)
OFFERED_MODES = tuple(mode for mode in PERMISSION_MODES if mode != "bypassPermissions")


def option_properties() -> dict[str, dict[str, Any]]:
    """Return the schema of each option that a tool offers, by name."""
    return {
        option.name: {"description": option.help, **_type(option)}
        for option in OPTIONS.values()
        if option.name not in _NOT_OFFERED
    }


def _type(option: Option) -> dict[str, Any]:
    kind = option.kind
    if option.name == "permission_mode":
        return {"type": "string", "enum": list(OFFERED_MODES)}
    if option.name == "worktree":
        return {"type": ["string", "boolean"]}
    if kind.is_flag:
        return {"type": "boolean"}
    if kind.is_list:
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(kind.parse, EnumMeta):
        return {
            "type": "string",
            "enum": [str(value) for value in map(attrgetter("value"), kind.parse.__members__.values())],
        }
    if kind.metavar == "N":
        return {"type": "integer"}
    return {"type": "number"} if kind is DOLLARS else {"type": "string"}
