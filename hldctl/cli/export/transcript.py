"""A conversation as the parts of a document, whatever it is then written in; no text in it can act on who shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hldctl.cli.output import harmless, one_line
from hldctl.cli.render import edit_diff, tool_calls
from hldctl.cli.render.edit_diff import Diff
from hldctl.cli.render.events_plain import answerer
from hldctl.cli.render.format import Timestamp, elapsed, noticeable_duration
from hldctl.sessions.outline import Begin, End
from hldctl.states import ApprovalStatus, EventType, NoteKind
from hldctl.store.approvals import Approval
from hldctl.store.events import Event
from hldctl.store.session import Session

_IN_A_DIFF = frozenset({"old_string", "new_string", "content", "edits"})


class Kind(StrEnum):
    PROMPT = "prompt"
    """What the user said, or what a subagent was told."""
    MESSAGE = "message"
    THINKING = "thinking"
    CALL = "call"
    RESULT = "result"
    """Of a call that nobody knows."""
    NOTE = "note"


class Verdict(StrEnum):
    OK = "ok"
    ERROR = "error"
    DENIED = "denied"
    WAITING = "waiting"
    """For permission."""
    OPEN = "open"
    """Without a result, so far or for ever."""


@dataclass(frozen=True)
class Given:
    """One of a call's arguments."""

    name: str
    text: str

    @property
    def is_long(self) -> bool:
        return "\n" in self.text or len(self.text) > 100


@dataclass(frozen=True)
class Call:
    name: str
    argument: str
    verdict: Verdict
    outcome: str
    took: str
    """Nothing where it was over at once."""
    given: list[Given]
    diff: Diff | None
    output: str
    permissions: list[str]
    """What was asked and answered, in words."""
    approved_by: str


@dataclass(frozen=True)
class Part:
    kind: Kind
    sequence: int
    at: Timestamp
    text: str = ""
    call: Call | None = None
    is_trouble: bool = False
    is_subagents: bool = False
    has_inner: bool = False
    """What follows is within it, up to the Close."""
    new_day: str = ""
    """Its date, if the part before had another."""


@dataclass(frozen=True)
class Close:
    """Of the innermost part that has others within it; its output comes last."""

    output: str = ""
    kind: None = None


@dataclass(frozen=True)
class Transcript:
    session: Session
    approvals: Mapping[str, list[Approval]] = field(default_factory=dict)
    """By tool call."""

    def parts(self, told: Iterable[Begin | End]) -> Iterator[Part | Close]:
        outputs: list[str] = []
        day = ""
        for item in told:
            if isinstance(item, End):
                yield Close(outputs.pop())
                continue
            part = self._part(item)
            part, day = replace(part, new_day=part.at.day if day and day != part.at.day else ""), part.at.day
            if part.has_inner:
                outputs.append(part.call.output if part.call is not None else "")
            yield part

    def _part(self, told: Begin) -> Part:
        event = told.event
        kind = _kind(event)
        call = self._call(event, told.result) if kind is Kind.CALL else None
        text = harmless((event.tool_result_content if kind is Kind.RESULT else event.content) or "").strip("\n")
        is_trouble = bool(event.is_error) or (event.note_kind is not None and NoteKind(event.note_kind).is_trouble)
        is_subagents = event.parent_tool_use_id is not None
        return Part(
            kind, event.sequence, Timestamp(event.created_at), text, call, is_trouble, is_subagents, told.has_inner
        )

    def _call(self, event: Event, result: Event | None) -> Call:
        asked = self.approvals.get(event.tool_id or "", [])
        verdict = self._verdict(event, result, asked)
        is_edit = event.tool_name in tool_calls.EDITS
        diff = edit_diff.of_edit(event, result) if is_edit else None
        answer = "" if result is None else result.tool_result_content or ""
        return Call(
            name=tool_calls.name(event),
            argument=tool_calls.argument(event, self.session.working_dir),
            verdict=verdict,
            outcome=_outcome(verdict, result, diff),
            took="" if result is None else noticeable_duration(result.created_at - event.created_at),
            given=list(_given(event, is_edit=diff is not None and bool(diff.lines))),
            diff=diff if diff is not None and diff.lines else None,
            output=harmless(edit_diff.without_hunks(answer) if is_edit else answer).strip("\n"),
            permissions=[permission(approval) for approval in asked],
            approved_by=next(
                (one_line(one.answered_by or "") for one in asked if one.status == ApprovalStatus.APPROVED), ""
            ),
        )

    def _verdict(self, event: Event, result: Event | None, asked: list[Approval]) -> Verdict:
        if any(approval.status == ApprovalStatus.PENDING for approval in asked):
            return Verdict.WAITING
        if result is None:
            return Verdict.OPEN
        if not result.is_error:
            return Verdict.OK
        denied = any(approval.status == ApprovalStatus.DENIED for approval in asked)
        refused = any(denial.get("tool_use_id") == event.tool_id for denial in self.session.permission_denials)
        return Verdict.DENIED if denied or refused else Verdict.ERROR


def permission(approval: Approval) -> str:
    """What became of a request, in a sentence."""
    asked = f"Permission asked at {Timestamp(approval.created_at).clock}"
    if approval.status == ApprovalStatus.PENDING:
        return f"{asked}; nobody has answered yet ({approval.id[:8]})."
    after = elapsed((approval.responded_at or approval.created_at) - approval.created_at)
    comment = f": {harmless(approval.comment)}" if approval.comment else "."
    return f"{asked}; {approval.status} after {after} by {answerer(approval)}{comment}"


def _kind(event: Event) -> Kind:
    match event.event_type:
        case EventType.TOOL_CALL:
            return Kind.CALL
        case EventType.TOOL_RESULT:
            return Kind.RESULT
        case EventType.THINKING:
            return Kind.THINKING
        case EventType.MESSAGE if event.note_kind is not None:
            return Kind.NOTE
        case EventType.MESSAGE:
            return Kind.PROMPT if event.role == "user" else Kind.MESSAGE
    return Kind.NOTE


def _outcome(verdict: Verdict, result: Event | None, diff: Diff | None) -> str:
    match verdict:
        case Verdict.WAITING:
            return "waits for permission"
        case Verdict.OPEN:
            return "no result"
    assert result is not None
    said = diff.counts if verdict is Verdict.OK and diff is not None else tool_calls.outcome(result)
    return f"denied: {said}" if verdict is Verdict.DENIED else said


def _given(event: Event, *, is_edit: bool) -> Iterator[Given]:
    value = tool_calls.tool_input(event)
    for name, argument in value.items():
        if is_edit and name in _IN_A_DIFF:
            continue
        text = argument if isinstance(argument, str) else json.dumps(argument, indent=2, ensure_ascii=False)
        yield Given(one_line(name), harmless(text).rstrip("\n"))
