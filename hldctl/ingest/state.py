"""What the fold of a journal has to know of the lines before."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from typing import Any

from hldctl.claude.events import Outcome
from hldctl.claude.stream import LARGEST_COUNT, JsonObject
from hldctl.claude.usage import Tokens

_PADDED_TO = 256
_FAMILY = re.compile(r"claude-(?:[\d.]+-)*([a-z]+)")


@dataclass
class FoldState:
    """All that the fold has to know of the lines before, so that it can go on after a crash.

    It is stored whole with each step; `columns` is what of it the world sees.
    """

    offset: int = 0
    """The byte of the journal behind the last line folded."""
    lines: int = 0
    sequence: int = 1
    """The number of the last event; 1 is the query."""
    unreadable_lines: int = 0
    unknown_lines: dict[str, int] = field(default_factory=dict)
    """By kind; those beyond the first few together."""
    claude_session_id: str | None = None
    model_id: str | None = None
    results: int = 0
    num_turns: int | None = None
    duration_ms: int | None = None
    cost_usd: float | None = None
    inherited_cost_usd: float = 0.0
    tokens: Tokens | None = None
    inherited_tokens: Tokens = field(default_factory=Tokens)
    counted_messages: dict[str, str] = field(default_factory=dict)
    """By subagent, the last message whose usage is in `tokens`."""
    last_usage: Tokens | None = None
    """Of the main conversation's last message: what is in the context window."""
    context_window: int | None = None
    permission_denials: list[JsonObject] = field(default_factory=list)
    reads: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Calls of Read without a result so far, by tool id: path, and whether only a part was asked for."""
    last_result: tuple[Any, ...] | None = None
    """An Outcome, without its text."""
    interrupted: bool = False
    """Whether Claude Code's last word was that the user interrupted it."""
    spoken_since_result: bool = False
    last_activity_at: int | None = None
    limit_resets_at: int | None = None
    """When the limit ends that stops this run, in milliseconds since 1970."""
    restarts_told: int = 0
    """How many of the session's restarts have their note in the conversation."""

    result_content: str | None = None
    """The text of the last result that had one; it has a column of its own."""

    @classmethod
    def from_json(cls, stored: dict[str, Any], result_content: str | None) -> FoldState:
        """Also from the state that an older or a newer hldctl stored: what is not in it is as at the beginning."""
        known = {member.name for member in fields(cls)} - {"result_content"}
        state = cls(**{name: stored[name] for name in known & stored.keys()}, result_content=result_content)
        state.tokens = None if state.tokens is None else Tokens(*state.tokens)
        state.inherited_tokens = Tokens(*state.inherited_tokens)
        state.last_usage = None if state.last_usage is None else Tokens(*state.last_usage)
        return state

    def stored(self) -> str:
        """As it is written with each step: in whole hundreds of bytes, for SQLite writes a row of unchanged length over
        the old one, and with it no page that holds the same as before, such as those of a long query.
        """
        state = json.dumps(self.as_json())
        return state.ljust(-(-len(state) // _PADDED_TO) * _PADDED_TO)

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "result_content"}

    @property
    def outcome(self) -> Outcome | None:
        """What the last `result` line said; the run may have gone on after it."""
        return None if self.last_result is None else Outcome(*self.last_result)

    def columns(self) -> dict[str, Any]:
        """The session's columns that follow from the journal; those not known yet are left out."""
        tokens = self.tokens
        known = {
            "claude_session_id": self.claude_session_id,
            "model": None if self.model_id is None else family(self.model_id),
            "model_id": self.model_id,
            "num_turns": _storable(self.num_turns),
            "duration_ms": _storable(self.duration_ms),
            "cost_usd": self.cost_usd,
            "input_tokens": tokens and _storable(tokens.input),
            "output_tokens": tokens and _storable(tokens.output),
            "cache_creation_input_tokens": tokens and _storable(tokens.cache_creation),
            "cache_read_input_tokens": tokens and _storable(tokens.cache_read),
            "effective_context_tokens": self.last_usage and _storable(self.last_usage.context),
            "context_window": self.context_window,
            "result_content": self.result_content,
            "permission_denials": json.dumps(self.permission_denials) if self.permission_denials else None,
            "last_activity_at": self.last_activity_at,
        }
        return {name: value for name, value in known.items() if value is not None}


def _storable(count: int | None) -> int | None:
    """Nonsense adds up to more than a database holds."""
    return None if count is None else max(-LARGEST_COUNT, min(count, LARGEST_COUNT))


def family(model_id: str) -> str:
    """The short name in a model's full id: `opus` of `claude-opus-5[1m]`; the id itself where there is none."""
    match = _FAMILY.search(model_id.lower())
    return match[1] if match else model_id
