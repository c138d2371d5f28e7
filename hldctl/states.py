"""Enums of the states and kinds of sessions, permission requests and events."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The state of a session."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    WAITING_INPUT = "waiting_input"
    IDLE = "idle"
    """Kept open, and waiting for a message."""
    INTERRUPTING = "interrupting"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def has_ended(self) -> bool:
        return self in ENDED


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.INTERRUPTED})


class EndReason(StrEnum):
    """Why a session has ended."""

    SUCCESS = "success"
    API_ERROR = "api_error"
    ERROR = "error"
    MAX_TURNS = "max_turns"
    BUDGET = "budget"
    NO_RESULT = "no_result"
    SPAWN_FAILED = "spawn_failed"
    INTERRUPTED = "interrupted"
    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"
    KILLED = "killed"
    LOST = "lost"
    DEPENDENCY_FAILED = "dependency_failed"
    """A session that it was to start after has failed, was interrupted, or was deleted."""
    CHECK_FAILED = "check_failed"
    STALLED = "stalled"
    SCHEMA_MISMATCH = "schema_mismatch"
    """There is no result that fits the schema."""
    AUTH = "auth"
    """The login was refused, or has no credit."""


class Source(StrEnum):
    """Where a session comes from that hldctl has not launched."""

    INTERACTIVE = "interactive"
    """The part of a conversation that a user had in the terminal, with `hldctl open`."""
    IMPORTED = "imported"
    """A conversation that was begun in Claude Code without hldctl."""


class IfRunning(StrEnum):
    """The action of a launch if a session with the same name has not ended."""

    FAIL = "fail"
    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"


class IfOverBudget(StrEnum):
    """The action of a launch if a budget does not allow another session now."""

    QUEUE = "queue"
    FAIL = "fail"


class WaitReason(StrEnum):
    """What a queued session waits for."""

    PREDECESSORS = "predecessors"
    """The sessions that it is to start after."""
    NAME = "name"
    SLOT = "slot"
    BUDGET = "budget"
    LIMIT = "limit"
    """The usage limit of its account."""
    LOGIN = "login"
    """A login of its account that works."""


class GateKind(StrEnum):
    """Why an account is closed: the API refuses its requests."""

    USAGE = "usage"
    """A usage limit is reached."""
    AUTH = "auth"
    """The login is refused, or has no credit."""


class Condition(StrEnum):
    """What a session waits for in a predecessor."""

    COMPLETED = "completed"
    ENDED = "ended"
    """Completed, failed or interrupted."""


class ApprovalStatus(StrEnum):
    """The state of a request."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


class ApprovalKind(StrEnum):
    """What a request asks the user for."""

    PERMISSION = "permission"
    QUESTION = "question"
    PLAN = "plan"


ASKING_TOOLS = {"AskUserQuestion": ApprovalKind.QUESTION, "ExitPlanMode": ApprovalKind.PLAN}
"""The tools of Claude Code with which the model asks the user; all others need permission at most."""


class InputKind(StrEnum):
    """What is written to a running Claude Code."""

    MESSAGE = "message"
    INTERRUPT = "interrupt"
    """End the current turn only."""
    MODEL = "model"
    PERMISSION_MODE = "permission_mode"
    EFFORT = "effort"


class MessageStatus(StrEnum):
    """The state of a message to a session."""

    PENDING = "pending"
    SENT = "sent"
    """Written to Claude Code, or about to be."""
    DELIVERED = "delivered"
    """Part of the conversation: the model has it."""
    CANCELLED = "cancelled"


class EventType(StrEnum):
    """The kind of an event of a conversation."""

    MESSAGE = "message"
    THINKING = "thinking"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    SYSTEM = "system"


class TaskKind(StrEnum):
    """The kind of a task that runs in the background."""

    AGENT = "agent"
    COMMAND = "command"
    OTHER = "other"


class NoteKind(StrEnum):
    """The subject of a note: a system event, or a text that Claude Code writes in the name of the user or of a tool."""

    API_ERROR = "api_error"
    API_RETRY = "api_retry"
    CHECK_FAILED = "check_failed"
    CHECK_OUTPUT = "check_output"
    """The message with the output of a check that has failed."""
    CHECK_PASSED = "check_passed"
    """Also of a check that was stopped."""
    COMPACTED = "compacted"
    INFORMATION = "information"
    INTERRUPTED = "interrupted"
    PERMISSION_DENIED = "permission_denied"
    RATE_LIMIT = "rate_limit"
    RESTART = "restart"
    SENT = "sent"
    """A message that the user sent while the session was running."""
    SESSION_CREATED = "session_created"
    TASK = "task"
    TASK_ENDED = "task_ended"
    """A task in the background has ended; `tool_result_for_id` is the call that started it."""
    TASK_OF_CALL = "task_of_call"
    """A task whose call shows the same: its start, or the end of one that the call waited for."""
    TASK_RECEIPT = "task_receipt"
    """The result of a call that started a task in the background."""
    UNREADABLE_LINE = "unreadable_line"

    @property
    def is_trouble(self) -> bool:
        """True if a reader should notice the note."""
        return self in _TROUBLE


_TROUBLE = frozenset(
    {
        NoteKind.API_ERROR,
        NoteKind.API_RETRY,
        NoteKind.CHECK_FAILED,
        NoteKind.INTERRUPTED,
        NoteKind.PERMISSION_DENIED,
        NoteKind.RESTART,
    }
)


class FeedType(StrEnum):
    """What an event of the feed is about."""

    SESSION_STATUS_CHANGED = "session_status_changed"
    CONVERSATION_UPDATED = "conversation_updated"
    SESSION_SETTINGS_CHANGED = "session_settings_changed"
    NEW_APPROVAL = "new_approval"
    APPROVAL_RESOLVED = "approval_resolved"
    MESSAGE_CHANGED = "message_changed"
    SESSION_DELETED = "session_deleted"


class RestartKind(StrEnum):
    """Why Claude Code is started once more within a session."""

    CHECK = "check"
    """The check has failed: Claude Code gets its output."""
    MESSAGE = "message"
    """The check has passed, but a message came while it ran."""
    RETRY = "retry"
    RESET = "reset"
