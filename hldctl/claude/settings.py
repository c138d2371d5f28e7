"""What a session asks of Claude Code: what `launch` sets and `continue` inherits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from hldctl.claude.stream import is_deep
from hldctl.errors import UnfitEnvironment
from hldctl.settings.claude import ClaudeOptions
from hldctl.settings.option import TEXT, TEXTS, Option, Section, unstored_setting

IN_FILES = ("mcp_config", "claude_settings", "environment", "agents")
"""Settings that may hold secrets: they are in private files, never in the database."""


@dataclass(frozen=True, kw_only=True)
class ClaudeSettings(ClaudeOptions):
    mcp_config: dict[str, Any] | None = unstored_setting(
        None,
        Option(
            "mcp_config",
            TEXT,
            "MCP servers.",
            metavar="FILE|JSON",
            section=Section.CLAUDE,
        ),
    )
    claude_settings: dict[str, Any] | None = unstored_setting(
        None,
        Option(
            "settings",
            TEXT,
            "Claude Code settings.",
            metavar="FILE|JSON",
            section=Section.CLAUDE,
        ),
    )
    agents: dict[str, Any] | None = unstored_setting(
        None,
        Option(
            "agents",
            TEXT,
            "Agents that the model can use; with --agent, one of them does the work.",
            metavar="FILE|JSON",
            section=Section.CLAUDE,
            claude_flags=("--agents",),
        ),
    )
    """The definition of each, by its name; `agent_names` has the names."""
    environment: dict[str, str] = unstored_setting(
        {},
        Option(
            "env",
            TEXTS,
            "Set a variable; continuations inherit it.",
            metavar="NAME[=VALUE]",
            section=Section.CLAUDE,
        ),
    )

    def __post_init__(self) -> None:
        """Raise UnfitEnvironment for values that a damaged file may hold and that cannot be handed on."""
        for name in IN_FILES:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, dict) or is_deep(value)):
                raise UnfitEnvironment(f"The {name.replace('_', ' ')} is not a JSON object, or is nested too deeply.")
        if not all(_is_variable(*variable) for variable in self.environment.items()):
            # Never its values: they may be secrets.
            raise UnfitEnvironment("The environment holds a name or value that a variable cannot have.")

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> ClaudeSettings:
        """Make settings of values from JSON or a database, where tuples are lists."""
        frozen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**frozen)

    @property
    def appended_prompt(self) -> str | None:
        """What is appended to the system prompt: custom instructions reach Claude Code no other way."""
        parts = [part for part in (self.append_system_prompt, self.custom_instructions) if part]
        return "\n\n".join(parts) or None


def _is_variable(name: str, value: Any) -> bool:
    if not name or "=" in name or not isinstance(value, str):
        return False
    try:
        return b"\0" not in os.fsencode(name + value)
    except UnicodeEncodeError:
        return False
