"""The state of the reducer between two lines of a journal."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from hldctl.claude import login
from hldctl.claude.stream import MAX_COUNT, JsonObject
from hldctl.claude.usage import Tokens
from hldctl.states import GateKind

if TYPE_CHECKING:
    from hldctl.claude.events import ResultMessage

_PADDING_BYTES = 256
# What may be long has a column of its own.
_IN_COLUMNS = frozenset({"result_content", "structured_output"})
# Not NULL, which would leave the column as it is.
_NO_OUTPUT = "null"
_FAMILY = re.compile(r"claude-(?:[\d.]+-)*([a-z]+)")


@dataclass
class ReducerState:
    """All that the reducer has to know about earlier lines, so that it can resume after a crash.

    It is stored with each step; `columns` is the part that is visible to users.
    """

    offset: int = 0
    """The offset in the journal after the last line applied."""
    lines: int = 0
    sequence: int = 1
    """The number of the last event; 1 is the prompt."""
    unreadable_lines: int = 0
    unknown_lines: dict[str, int] = field(default_factory=dict)
    """Counts by kind; kinds beyond the first few are counted together."""
    claude_session_id: str | None = None
    model_id: str | None = None
    results: int = 0
    num_turns: int | None = None
    duration_ms: int | None = None
    cost_usd: float | None = None
    inherited_cost_usd: float = 0.0
    estimated_usd: dict[str, float] = field(default_factory=dict)
    """What the messages since the last result may have cost, by quarter of an hour; see `spending`."""
    tokens: Tokens | None = None
    inherited_tokens: Tokens = field(default_factory=Tokens)
    counted_messages: dict[str, str] = field(default_factory=dict)
    """The last message whose usage is in `tokens`, by subagent."""
    last_usage: Tokens | None = None
    """The usage of the main conversation's last message, which is what the context window contains."""
    context_window: int | None = None
    permission_denials: list[JsonObject] = field(default_factory=list)
    reads: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Calls of Read without a result so far, by tool id: the path, and whether only a part was requested."""
    last_result: tuple[Any, ...] | None = None
    """The fields of an Outcome, without its text."""
    interrupted: bool = False
    """True if Claude Code's last message was that the user interrupted it."""
    spoken_since_result: bool = False
    """True if the conversation has messages after the last result."""
    is_idle: bool = False
    """True if Claude Code waits for a message: no turn runs, while a task in the background may."""
    is_turn_begun: bool = False
    """True from the `init` line of a turn to its result."""
    waiting_length: int = 0
    """The length of the messages that were repeated before the turn began, and their checksum."""
    waiting_checksum: int = 0
    last_activity_at: int | None = None
    host_requests: dict[str, str] = field(default_factory=dict)
    """Requests for permission that Claude Code waits for, by id: the tool call."""
    asked_calls: dict[str, str] = field(default_factory=dict)
    """Tool calls without a result for which Claude Code has asked its host, by id: the name of the tool."""
    tasks: dict[str, dict[str, Any]] | None = None
    """The tasks that run in the background, by id; None if there never were any."""
    background_calls: dict[str, str] = field(default_factory=dict)
    """By task in the background: the tool call that started it."""
    turn_ended_at: int | None = None
    """When the model ended its turn; None while it works. Known only while tasks run."""
    limit_resets_at: int | None = None
    """The end of the rate limit that stops this run, in milliseconds since 1970."""
    is_limited: bool = False
    """True if a usage limit stops this turn, also if its end is unknown."""
    api_error: str | None = None
    """Claude Code's name of the API error that ended this turn."""
    has_answer: bool = False
    """True if the model has answered in this turn."""
    restarts_told: int = 0
    """How many of the session's restarts have their note in the conversation; the last check after them counts, too."""

    result_content: str | None = None
    """The text of the last result that had one; it is stored in a separate column."""

    structured_output: str | None = None
    """The last object that fits the JSON Schema, as JSON, or `null` if that was before a restart; stored likewise."""

    @classmethod
    def from_json(
        cls, stored: dict[str, Any], result_content: str | None, structured_output: dict[str, Any] | None = None
    ) -> ReducerState:
        """Return a stored state, also from an older or newer hldctl: missing fields get their initial values."""
        known = {member.name for member in fields(cls)} - _IN_COLUMNS
        state = cls(**{name: stored[name] for name in known & stored.keys()}, result_content=result_content)
        state.structured_output = None if structured_output is None else json.dumps(structured_output)
        state.tokens = None if state.tokens is None else Tokens(*state.tokens)
        state.inherited_tokens = Tokens(*state.inherited_tokens)
        state.last_usage = None if state.last_usage is None else Tokens(*state.last_usage)
        return state

    def to_padded_json(self) -> str:
        """Return the state as JSON, padded to a multiple of 256 bytes.

        SQLite overwrites a row of unchanged length in place, and then does not rewrite unchanged pages, such as those
        of a long prompt.
        """
        state = json.dumps(self.as_json())
        return state.ljust(-(-len(state) // _PADDING_BYTES) * _PADDING_BYTES)

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _IN_COLUMNS}

    @property
    def has_structured_output(self) -> bool:
        return self.structured_output not in (None, _NO_OUTPUT)

    def forget_output(self) -> None:
        """Forget the object of the previous run: it does not count for this one."""
        self.structured_output = _NO_OUTPUT if self.structured_output is not None else None

    @property
    def outcome(self) -> ResultMessage | None:
        """The last `result` line; the run may have continued after it."""
        if self.last_result is None:
            return None
        # Imported here: a launch needs an empty state only.
        from hldctl.claude.events import ResultMessage

        return ResultMessage(*self.last_result)

    @property
    def refusal(self) -> GateKind | None:
        """Why the API refused the last turn, if it would refuse other sessions of the account as well."""
        outcome = self.outcome
        if outcome is None or not outcome.is_error:
            return None
        if self.is_limited:
            return GateKind.USAGE
        is_refused = login.is_login_refused(self.api_error, outcome.api_error_status, self.result_content)
        return GateKind.AUTH if is_refused else None

    def begin_turn(self) -> None:
        """Forget how the API answered the previous turn."""
        self.limit_resets_at = self.api_error = None
        self.is_limited = self.has_answer = False

    def columns(self) -> dict[str, Any]:
        """Return the session's columns that are derived from the journal, without those that are not known yet."""
        tokens = self.tokens
        known = {
            "claude_session_id": self.claude_session_id,
            "model": None if self.model_id is None else model_family(self.model_id),
            "model_id": self.model_id,
            "num_turns": _clamp(self.num_turns),
            "duration_ms": _clamp(self.duration_ms),
            "cost_usd": self.cost_usd,
            "input_tokens": tokens and _clamp(tokens.input),
            "output_tokens": tokens and _clamp(tokens.output),
            "cache_creation_input_tokens": tokens and _clamp(tokens.cache_creation),
            "cache_read_input_tokens": tokens and _clamp(tokens.cache_read),
            "effective_context_tokens": self.last_usage and _clamp(self.last_usage.context),
            "context_window": self.context_window,
            "result_content": self.result_content,
            "structured_output": self.structured_output,
            "permission_denials": json.dumps(self.permission_denials) if self.permission_denials else None,
            "last_activity_at": self.last_activity_at,
        }
        columns: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
        return columns if self.tasks is None else columns | self._background_columns(self.tasks)

    def _background_columns(self, tasks: dict[str, dict[str, Any]]) -> dict[str, Any]:
        return {
            "background_tasks": json.dumps(list(tasks.values())),
            "turn_ended_at": self.turn_ended_at if tasks else None,
        }


def _clamp(count: int | None) -> int | None:
    """Limit a count to what the database can store: the sum of nonsensical counts can exceed it."""
    return None if count is None else max(-MAX_COUNT, min(count, MAX_COUNT))


def model_family(model_id: str) -> str:
    """Return the short name in a model's full id: `opus` in `claude-opus-5[1m]`; the id itself if it has none."""
    match = _FAMILY.search(model_id.lower())
    return match[1] if match else model_id
