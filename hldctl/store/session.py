"""A session's row, typed: the one list of the columns of the table `sessions`.

What is JSON, what is in the JSON of a session, and what a session's own files restore, is declared at the field.
`session_table` makes peewee's table of it, and a test compares that with the schema that the migrations make.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from hldctl.settings.claude import ClaudeOptions
from hldctl.settings.option import FIRST, LAST, column
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy


# Rows are made by `from_columns`: an `__init__` for all columns would cost each command 2 ms to compile.
@dataclass(frozen=True, init=False, eq=False, repr=False)
class _Identity:
    """The columns that come first in the JSON of a session."""

    id: str = column(exposure=FIRST)
    """The session's id, a UUID."""
    run_id: str = column(exposure=FIRST)
    """The id of the run, a UUID; its MCP servers have it in their environment."""
    name: str | None = column(exposure=FIRST)
    """The name to use instead of the id; None without one."""
    claude_session_id: str | None = column(exposure=FIRST)
    """The id of the conversation in Claude Code; None until Claude Code has reported it."""
    parent_session_id: str | None = column(exposure=FIRST)
    """The session that this one continues; None for a new conversation."""
    status: str = column(exposure=FIRST, outcome=True, shown_as="Status")
    """The state of the session."""
    end_reason: str | None = column(exposure=FIRST, outcome=True, shown_as="EndReason")
    """Why the session ended; None until it has."""
    query: str = column(exposure=FIRST)
    """What Claude Code was asked to do."""
    summary: str = column(exposure=FIRST)
    """The beginning of the query, in one line."""
    title: str | None = column(exposure=FIRST)
    """The title in lists; None without one."""
    model: str | None = column(exposure=FIRST)
    """The short name of the model, such as `opus`; None until it is known."""
    model_id: str | None = column(exposure=FIRST)
    """The full id of the model; None until Claude Code has reported it."""


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Session(RunPolicy, Permissions, ClaudeOptions, _Identity):
    """A session with its columns as attributes. Times are whole milliseconds since 1970, UTC.

    A query may read only some columns; any other attribute raises AttributeError.
    """

    archived: bool = column(exposure=FIRST)
    """True if `ls` hides it without `--all`."""
    created_at: int = column(exposure=FIRST, shown_as="Timestamp")
    """When it was launched, or when an imported conversation began."""
    last_activity_at: int = column(exposure=FIRST, shown_as="Timestamp")
    """When something last happened in it."""
    completed_at: int | None = column(exposure=FIRST, outcome=True, shown_as="Timestamp")
    """When it ended; None until then."""
    duration_ms: int | None = column(exposure=FIRST)
    """Claude Code's time at work, in milliseconds; None until it is known."""
    num_turns: int | None = column(exposure=FIRST)
    """The number of the model's turns; None until Claude Code has reported it."""
    cost_usd: float | None = column(exposure=FIRST)
    """The cost in US dollars; None until Claude Code has reported it."""
    input_tokens: int | None = column(exposure=FIRST)
    """Tokens that the models read, without those of the cache; None until the first message."""
    output_tokens: int | None = column(exposure=FIRST)
    """Tokens that the models wrote; None until the first message."""
    cache_creation_input_tokens: int | None = column(exposure=FIRST)
    """Tokens that were written to the cache; None until the first message."""
    cache_read_input_tokens: int | None = column(exposure=FIRST)
    """Tokens that were read from the cache; None until the first message."""
    effective_context_tokens: int | None = column(exposure=FIRST)
    """Tokens in the context window of the main conversation; None until the first message."""
    context_window: int | None = column(exposure=FIRST)
    """The size of the context window, in tokens; None until Claude Code has reported it."""
    result_content: str | None = column(exposure=FIRST)
    """The text of the last result; None until there is one."""
    structured_output: dict[str, Any] | None = column(exposure=LAST)
    """The last result that fits `json_schema`; None without one."""
    error_message: str | None = column(exposure=FIRST, outcome=True)
    """What went wrong, in a sentence; None if nothing did."""
    exit_code: int | None = column(exposure=FIRST, outcome=True)
    """The exit code of Claude Code, negative for a signal; None until it has exited."""
    host: str = column()
    claude_path: str = column()
    pid: int | None = column(exposure=FIRST)
    """The process id of Claude Code; None unless it runs."""
    pid_started: int | None = column()
    supervisor_pid: int | None = column(exposure=FIRST)
    """The process id of the supervisor; None unless it runs."""
    boot_id: str | None = column()
    journal_offset: int = column()
    fold_state: dict[str, Any] = column()
    interrupt_requested_at: int | None = column()
    interrupt_grace_ms: int | None = column()
    left_running: list[list[int]] | None = column()
    """Pid and start time of each process that Claude Code left running when it exited normally; see ProcessIdentity."""
    pending_approvals: int = column(exposure=FIRST)
    """How many requests wait for an answer."""
    permission_denials: list[dict[str, Any]] = column(exposure=FIRST, shown_as="list[DenialObject]")
    """The tool calls that were denied, as Claude Code reports them."""
    stop_reason: str | None = column()
    """Why the session has to stop, as an EndReason; set before it is signalled."""
    on_end_pending: bool = column()
    """True if the session has ended and its `on_end` has not been run yet."""
    pending_messages: int = column(exposure=LAST)
    """How many messages are not part of the conversation yet."""
    is_closing: bool = column()
    """True if Claude Code has been asked to end, or will be: no message is accepted any more."""
    rehearsed: bool = column(exposure=LAST)
    """True if a script plays the model: no account, no cost."""
    was_queued: bool = column()
    """True if the session is or was queued."""
    waiting_for: str | None = column(exposure=LAST, shown_as="WaitReason")
    """What a queued session waits for, or one whose restart its account holds; None if it waits for nothing."""
    after: list[dict[str, str]] | None = column(exposure=LAST, shown_as="list[PredecessorRefObject]")
    """The sessions that it starts after; None without any."""
    limit_until: int | None = column(exposure=LAST, shown_as="Timestamp")
    """When the session may start, if its account has reached a usage limit; None otherwise."""
    account: str | None = column()
    """The account that pays for it, as `claude.account` names it; None for a session of an older version."""
    waiting_budget: dict[str, Any] | None = column()
    """The budget that it waits for if that is the reason; see `store.budgets.waits`."""
    started_at: int | None = column(exposure=LAST, shown_as="Timestamp")
    """When Claude Code first started, which may be long after the launch; None until then."""
    restarts: list[dict[str, Any]] | None = column()
    """Each a Restart, as an object."""
    check_state: dict[str, Any] | None = column()
    """A CheckRecord, as an object."""
    background_tasks: list[dict[str, Any]] | None = column(exposure=LAST, shown_as="list[TaskObject]")
    """The tasks that run in the background, or that a stopped session left unfinished; None if there never were any."""
    turn_ended_at: int | None = column()
    """When the model ended its turn and left tasks running in the background; None while it works."""
    source: str | None = column(exposure=LAST, shown_as="Source")
    """Where the session comes from; None for one that hldctl launched."""
    worktree: dict[str, Any] | None = column(exposure=LAST, trusted=True, shown_as="WorktreeObject")
    """The worktree that hldctl made for it; None without one."""
    launched_by: str | None = column(exposure=LAST, trusted=True)
    """The session whose command launched or continued it; None if a person or a program outside sessions did."""
    launchers: list[str] | None = column(trusted=True)
    """The sessions above it, from the one that a person launched to `launched_by`; None without any."""
    deleted_launched_usd: float | None = column()
    """What sessions that it launched, and that were deleted, had spent or given to others; None without any."""
    launched_within: str | None = column(trusted=True)
    """The session without the right to answer that chose its commands, which get no token; None if none did.

    A continuation inherits it: a person who continues what a session launched has not chosen the commands.
    """

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Session:
        """Make a session of the columns that were read; values are as `decode_row` returns them."""
        session = object.__new__(cls)
        session.__dict__.update(columns)
        return session

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # as of any value that is compared by its columns

    def __repr__(self) -> str:
        return f"Session({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


def _where(condition: str) -> frozenset[str]:
    return frozenset(each.name for each in fields(Session) if each.metadata.get(condition))


# Annotations are texts here: reading them costs less than resolving them, in each supervisor.
TYPES = {each.name: str(each.type) for each in fields(Session)}
COLUMNS = tuple(TYPES)
JSON_COLUMNS = frozenset(name for name, type_ in TYPES.items() if type_.startswith(("tuple[", "list[", "dict[")))
BOOLEAN_COLUMNS = frozenset(name for name, type_ in TYPES.items() if type_.startswith("bool"))
"""Columns that SQLite stores as numbers."""
_TUPLES = frozenset(name for name, type_ in TYPES.items() if type_.startswith("tuple["))
EXPOSED_COLUMNS = tuple(
    each.name for exposure in (FIRST, LAST) for each in fields(Session) if each.metadata["exposure"] is exposure
)
"""The columns in the JSON object of a session, in this order."""
TRUSTED_COLUMNS = _where("trusted")
"""Columns that allow or run something: the session's own files take precedence over a damaged database."""
OUTCOME_COLUMNS = _where("outcome")
"""Columns that are set once, when the session ends, and from then on are in its files."""


def decode_row(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    """Return a row's columns as a Session has them."""
    return {name: decode_value(name, value) for name, value in zip(names, values, strict=True)}


def encode_value(name: str, value: Any) -> Any:
    """Return a column's value as the database holds it."""
    return json.dumps(value) if name in JSON_COLUMNS and value is not None else value


def decode_value(name: str, value: Any) -> Any:
    """Return a column's value as a Session has it."""
    if value is None:
        return None
    if name in JSON_COLUMNS:
        decoded = json.loads(value)
        return tuple(decoded) if name in _TUPLES else decoded
    return bool(value) if name in BOOLEAN_COLUMNS else value
