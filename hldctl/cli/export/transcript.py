"""A conversation as parts of a document, independent of its format; control characters in its text are escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from hldctl.claude import questions
from hldctl.cli.output import escape_control_chars, one_line
from hldctl.cli.render.events import edit_diff, tool_calls, tool_result
from hldctl.cli.render.events.edit_diff import Diff
from hldctl.cli.render.events.plain import answered_status, answerer
from hldctl.cli.render.format import Timestamp, format_duration, noticeable_duration
from hldctl.sessions.inspect.outline import Begin, End
from hldctl.states import ASKING_TOOLS, ApprovalKind, ApprovalStatus, EventType, NoteKind
from hldctl.store.approvals import Approval
from hldctl.store.events import Event
from hldctl.store.session import Session

# Arguments of an edit that its diff shows.
_DIFF_ARGUMENTS = frozenset({"old_string", "new_string", "content", "edits"})


class BlockKind(StrEnum):
    """The kind of a block."""

    PROMPT = "prompt"
    """A prompt from the user, or for a subagent."""
    SENT = "sent"
    """A message that the user sent while the session was running."""
    CHECK = "check"
    """The output of a check that has failed, which the model gets."""
    MESSAGE = "message"
    THINKING = "thinking"
    CALL = "call"
    RESULT = "result"
    """A result whose call is unknown."""
    NOTE = "note"


class CallStatus(StrEnum):
    """The status of a call."""

    OK = "ok"
    ERROR = "error"
    DENIED = "denied"
    WAITING = "waiting"
    """Waiting for permission."""
    STARTED = "started"
    """The call started a task in the background, and its end is unknown."""
    OPEN = "open"
    """The call has not returned a result, and maybe never will."""


@dataclass(frozen=True)
class ToolArgument:
    """One argument of a call."""

    name: str
    text: str

    @property
    def is_long(self) -> bool:
        return "\n" in self.text or len(self.text) > 100


@dataclass(frozen=True)
class Call:
    """A tool call with its result."""

    name: str
    argument: str
    status: CallStatus
    outcome: str
    took: str
    """The duration; empty if it is not noticeable."""
    arguments: list[ToolArgument]
    diff: Diff | None
    output: str
    permissions: list[str]
    """Permission requests and their answers, as text."""
    approved_by: str


@dataclass(frozen=True)
class Block:
    """A block of the conversation."""

    kind: BlockKind
    sequence: int
    at: Timestamp
    text: str = ""
    call: Call | None = None
    is_trouble: bool = False
    is_subagents: bool = False
    has_inner: bool = False
    """True if the parts up to the matching BlockEnd are inside this one."""
    new_day: str = ""
    """The date if it differs from the previous block's, else empty."""


@dataclass(frozen=True)
class BlockEnd:
    """The end of the innermost block with `has_inner`; its output comes last."""

    output: str = ""
    kind: None = None


@dataclass(frozen=True)
class Transcript:
    """The conversation of one session."""

    session: Session
    approvals: Mapping[str, list[Approval]] = field(default_factory=dict)
    """Permission requests by the id of the tool call."""

    def blocks(self, items: Iterable[Begin | End]) -> Iterator[Block | BlockEnd]:
        """Yield the parts for the items of an outline."""
        outputs: list[str] = []
        day = ""
        for item in items:
            if isinstance(item, End):
                yield BlockEnd(outputs.pop())
                continue
            block = self._block(item)
            block, day = replace(block, new_day=block.at.day if day and day != block.at.day else ""), block.at.day
            if block.has_inner:
                outputs.append(block.call.output if block.call is not None else "")
            yield block

    def _block(self, item: Begin) -> Block:
        event = item.event
        kind = _kind(event)
        call = self._call(event, item.result, item.task_end) if kind is BlockKind.CALL else None
        text = escape_control_chars(tool_result.text(event) if kind is BlockKind.RESULT else event.content or "").strip(
            "\n"
        )
        is_trouble = bool(event.is_error) or (event.note_kind is not None and NoteKind(event.note_kind).is_trouble)
        is_subagents = event.parent_tool_use_id is not None
        return Block(
            kind, event.sequence, Timestamp(event.created_at), text, call, is_trouble, is_subagents, item.has_inner
        )

    def _call(self, event: Event, result: Event | None, task_end: Event | None) -> Call:
        requests = self.approvals.get(event.tool_id or "", [])
        status = self._status(event, result, task_end, requests)
        is_edit = event.tool_name in tool_calls.EDITS
        diff = edit_diff.compute_diff(event, result) if is_edit else None
        answer = "" if result is None or _is_receipt(result) else tool_result.text(result)
        end = task_end if result is None or _is_receipt(result) else result
        return Call(
            name=tool_calls.name(event),
            argument=tool_calls.argument(event, self.session.working_dir),
            status=status,
            outcome=_outcome(status, event, end, diff),
            took="" if end is None else noticeable_duration(end.created_at - event.created_at - _waited_ms(requests)),
            arguments=list(_arguments(event, is_edit=diff is not None and bool(diff.lines))),
            diff=diff if diff is not None and diff.lines else None,
            output=escape_control_chars(edit_diff.strip_hunks(answer) if is_edit else answer).strip("\n"),
            permissions=[permission(approval) for approval in requests],
            approved_by=next(
                (
                    one_line(request.answered_by or "")
                    for request in requests
                    if request.status == ApprovalStatus.APPROVED and request.kind is not ApprovalKind.QUESTION
                ),
                "",
            ),
        )

    def _status(
        self, event: Event, result: Event | None, task_end: Event | None, requests: list[Approval]
    ) -> CallStatus:
        if any(approval.status == ApprovalStatus.PENDING for approval in requests):
            return CallStatus.WAITING
        if result is None:
            return CallStatus.OPEN
        if _is_receipt(result):
            if task_end is None:
                return CallStatus.STARTED
            return CallStatus.ERROR if task_end.is_error else CallStatus.OK
        if not result.is_error:
            return CallStatus.OK
        was_denied = any(approval.status == ApprovalStatus.DENIED for approval in requests)
        is_listed_as_denied = any(
            denial.get("tool_use_id") == event.tool_id for denial in self.session.permission_denials
        )
        return CallStatus.DENIED if was_denied or is_listed_as_denied else CallStatus.ERROR


def permission(approval: Approval) -> str:
    """Return a permission request and its answer as a sentence."""
    asked = "Asked" if approval.kind is ApprovalKind.QUESTION else "Permission requested"
    request_text = f"{asked} at {Timestamp(approval.created_at).clock}"
    if approval.status == ApprovalStatus.PENDING:
        return f"{request_text}; not answered yet ({approval.id[:8]})."
    after = format_duration((approval.responded_at or approval.created_at) - approval.created_at)
    comment = f": {escape_control_chars(approval.comment)}" if approval.comment else "."
    return f"{request_text}; {answered_status(approval)} after {after} by {answerer(approval)}{comment}"


def _kind(event: Event) -> BlockKind:
    match event.event_type:
        case EventType.TOOL_CALL:
            return BlockKind.CALL
        case EventType.TOOL_RESULT:
            return BlockKind.RESULT
        case EventType.THINKING:
            return BlockKind.THINKING
        case EventType.MESSAGE if event.note_kind == NoteKind.SENT:
            return BlockKind.SENT
        case EventType.MESSAGE if event.note_kind == NoteKind.CHECK_OUTPUT:
            return BlockKind.CHECK
        case EventType.MESSAGE if event.note_kind is not None:
            return BlockKind.NOTE
        case EventType.MESSAGE:
            return BlockKind.PROMPT if event.role == "user" else BlockKind.MESSAGE
    return BlockKind.NOTE


def _is_question(call: Event) -> bool:
    return ASKING_TOOLS.get(call.tool_name or "") is ApprovalKind.QUESTION


def _is_receipt(result: Event) -> bool:
    return result.note_kind == NoteKind.TASK_RECEIPT


def _waited_ms(requests: list[Approval]) -> int:
    """Return how long a call waited for permission."""
    return sum(request.responded_at - request.created_at for request in requests if request.responded_at is not None)


def _outcome(status: CallStatus, call: Event, end: Event | None, diff: Diff | None) -> str:
    match status:
        case CallStatus.WAITING:
            return "waiting for an answer" if _is_question(call) else "waiting for permission"
        case CallStatus.OPEN:
            return "no result"
        case CallStatus.STARTED:
            return "started in the background"
    assert end is not None
    if end.note_kind == NoteKind.TASK_ENDED:
        return tool_calls.task_outcome(end)
    text = diff.counts if status is CallStatus.OK and diff is not None else tool_calls.outcome(end, call.tool_name)
    return f"denied: {text}" if status is CallStatus.DENIED else text


def _arguments(event: Event, *, is_edit: bool) -> Iterator[ToolArgument]:
    value = tool_calls.tool_input(event)
    if _is_question(event):
        yield from _questions(value)
        return
    for name, argument in value.items():
        if is_edit and name in _DIFF_ARGUMENTS:
            continue
        text = argument if isinstance(argument, str) else json.dumps(argument, indent=2, ensure_ascii=False)
        yield ToolArgument(one_line(name), escape_control_chars(text).rstrip("\n"))


def _questions(tool_input: dict[str, Any]) -> Iterator[ToolArgument]:
    """Yield each question with its choices."""
    asked = questions.parse_questions(tool_input)
    for number, question in enumerate(asked, 1):
        name = f"question {number}" if len(asked) > 1 else "question"
        choices = (f"- {option.label}: {option.description}".removesuffix(": ") for option in question.options)
        yield ToolArgument(name, escape_control_chars("\n".join([question.question, *choices])))
