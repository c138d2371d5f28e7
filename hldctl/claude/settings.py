"""What a session asks of Claude Code: what `launch` sets and `continue` inherits."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from hldctl.claude.stream import is_deep
from hldctl.errors import UnfitEnvironment


@dataclass(frozen=True)
class ClaudeSettings:
    working_dir: str
    model: str | None = None
    additional_directories: tuple[str, ...] = ()
    max_turns: int | None = None
    max_budget_usd: float | None = None
    system_prompt: str | None = None
    append_system_prompt: str | None = None
    custom_instructions: str | None = None
    permission_mode: str | None = None
    permission_prompt_tool: str | None = None
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    fresh_system_prompt: bool = False
    """A resumed conversation goes on with the prompt it began with unless told otherwise (2.1.330)."""
    extra_arguments: tuple[str, ...] = ()
    """Handed on as they are."""
    mcp_config: dict[str, Any] | None = field(default=None, repr=False)
    claude_settings: dict[str, Any] | None = field(default=None, repr=False)
    environment: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Raises UnfitEnvironment for what a damaged file of ours may hold, and nobody could hand on."""
        for name in ("mcp_config", "claude_settings", "environment"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, dict) or is_deep(value)):
                raise UnfitEnvironment(f"The {name.replace('_', ' ')} is no JSON object, or one nested too deeply.")
        if not all(_is_variable(*variable) for variable in self.environment.items()):
            # Never its values: they may be secrets.
            raise UnfitEnvironment("The environment holds what no variable can.")

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> ClaudeSettings:
        """From JSON or a database, where tuples are lists."""
        frozen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**frozen)

    @property
    def appended_prompt(self) -> str | None:
        """What is added to the system prompt: custom instructions reach Claude Code no other way."""
        parts = [part for part in (self.append_system_prompt, self.custom_instructions) if part]
        return "\n\n".join(parts) or None


def _is_variable(name: str, value: Any) -> bool:
    if not name or "=" in name or not isinstance(value, str):
        return False
    try:
        return b"\0" not in os.fsencode(name + value)
    except UnicodeEncodeError:
        return False
