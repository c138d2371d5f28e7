"""All that an exported document tells of a session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from hldctl.claude.usage import Spent, Tokens
from hldctl.cli.export.transcript import Close, Part, Transcript, permission
from hldctl.cli.output import harmless, one_line, shortened
from hldctl.cli.render import tool_calls
from hldctl.cli.render.format import Timestamp, clock
from hldctl.cli.render.session_table import context_percent, ending
from hldctl.cli.render.session_text import denied_tools, settings
from hldctl.paths import StateDirectory
from hldctl.protocol.restart import load_restarts
from hldctl.sessions import costs, outline
from hldctl.sessions.costs import Costs
from hldctl.sessions.details import Inspection
from hldctl.sessions.outline import Outline
from hldctl.states import Status
from hldctl.store import approvals, events
from hldctl.store.approvals import Approval
from hldctl.store.connection import current
from hldctl.store.session import Session
from hldctl.system.clock import now

_HEADING = 120
"""Characters of a prompt that stand for it where it is only pointed to."""
_MOST_POINTED_TO = 50


@dataclass(frozen=True)
class Fact:
    name: str
    text: str
    moment: Timestamp | None = None
    is_code: bool = False


@dataclass(frozen=True)
class Pointer:
    sequence: int
    words: str


@dataclass(frozen=True)
class CostRow:
    name: str
    input: str
    output: str
    cache_read: str
    cache_write: str
    cost: str


@dataclass(frozen=True)
class Document:
    title: str
    id: str
    name: str
    status: str
    status_words: str
    has_ended: bool
    made: Timestamp
    prompt: str
    """Nothing where the title says it all."""
    result: str
    error: str
    numbers: list[tuple[str, str]]
    """What matters most: the value and what it counts."""
    facts: list[Fact]
    costs: list[CostRow]
    total: CostRow | None
    runs: list[CostRow]
    prompts: list[Pointer]
    """The first of them, as of the calls that failed."""
    more_prompts: int
    failed: list[Pointer]
    more_failed: int
    permissions: list[str]
    """Those that are about no call of the conversation."""
    _outline: Outline
    _transcript: Transcript

    def parts(self) -> Iterator[Part | Close]:
        """While the database is open."""
        yield from self._transcript.parts(self._outline.told())


def of(state: StateDirectory, found: Inspection) -> Document:
    """To be used while the database is open."""
    session = found.session
    told = outline.read(session.id)
    spent = costs.of_session(state, session)
    asked = approvals.of_session(current(), session.id)
    by_call: defaultdict[str, list[Approval]] = defaultdict(list)
    for approval in asked:
        by_call[approval.tool_use_id or ""].append(approval)
    status = Status(session.status)
    return Document(
        title=_title(session),
        id=session.id,
        name=one_line(session.name or ""),
        status=status,
        status_words=_status_words(session),
        has_ended=status.has_ended,
        made=Timestamp(now()),
        prompt=_prompt(session),
        result=_result(session),
        error=harmless(session.error_message or ""),
        numbers=list(_numbers(session, told)),
        facts=list(_facts(found)),
        costs=[_cost_row(_model(model), each) for model, each in spent.models.items()],
        total=_cost_row("all", spent.total) if any(spent.total.tokens) or spent.total.cost_usd else None,
        runs=list(_runs(spent, session)),
        prompts=_pointers([(line.sequence, line.beginning) for line in told.prompts[:_MOST_POINTED_TO]]),
        more_prompts=max(0, len(told.prompts) - _MOST_POINTED_TO),
        failed=_pointers(list(_failed(session, told))),
        more_failed=max(0, len(told.failed) - _MOST_POINTED_TO),
        permissions=[f"{one_line(one.tool_name)}: {permission(one)}" for one in by_call.get("", ())],
        _outline=told,
        _transcript=Transcript(session, by_call),
    )


def _pointers(told: list[tuple[int, str]]) -> list[Pointer]:
    return [Pointer(sequence, shortened(words, _HEADING) or "nothing") for sequence, words in told]


def _failed(session: Session, told: Outline) -> Iterator[tuple[int, str]]:
    for line in told.failed[:_MOST_POINTED_TO]:
        if (call := events.at(session.id, line.sequence)) is not None:
            yield line.sequence, f"{tool_calls.name(call)}: {tool_calls.argument(call, session.working_dir)}"


def _status_words(session: Session) -> str:
    status = Status(session.status)
    if not status.has_ended:
        word = "waiting for permission" if status is Status.WAITING_INPUT else str(status)
        return f"{word.capitalize()}: it has not ended yet"
    why = f": {reason}" if (reason := ending(session)) else ""
    after = f" after {clock(session.duration_ms / 1000)}" if session.duration_ms is not None else ""
    return f"{str(status).capitalize()}{after}{why}"


def _prompt(session: Session) -> str:
    return "" if one_line(session.query) == _title(session) else harmless(session.query).strip("\n")


def _title(session: Session) -> str:
    return one_line(session.title or session.summary) or "A session without words"


def _result(session: Session) -> str:
    """One that failed may have no other result than its error."""
    said = harmless(session.result_content or "").strip("\n")
    return "" if one_line(said) == one_line(session.error_message or "") else said


def _numbers(session: Session, told: Outline) -> Iterator[tuple[str, str]]:
    if session.cost_usd is not None:
        yield _dollars(session.cost_usd), "cost"
    if session.num_turns is not None:
        yield str(session.num_turns), "turn" if session.num_turns == 1 else "turns"
    if session.duration_ms is not None:
        yield clock(session.duration_ms / 1000), "at work"
    if calls := told.tools.total():
        yield str(calls), "tool call" if calls == 1 else "tool calls"
    if failed := len(told.failed):
        yield str(failed), "failed or denied" if session.permission_denials else "of them failed"
    if percent := context_percent(session):
        yield f"{percent}%", "of the context"


def _facts(found: Inspection) -> Iterator[Fact]:
    session = found.session
    if model := session.model_id or session.model:
        yield Fact("Model", one_line(model), is_code=True)
    yield Fact("Directory", one_line(session.working_dir), is_code=True)
    if session.was_queued or session.started_at is None:
        yield _moment("Launched", session.created_at)
    if session.started_at is not None:
        yield _moment("Started", session.started_at)
    if session.completed_at is not None:
        yield _moment("Ended", session.completed_at)
    yield from _family(found)
    if said := settings(session):
        yield Fact("Settings", ", ".join(said))
    for server in found.mcp_servers:
        yield Fact("MCP server", one_line(f"{server.name} {server.status or 'not started'}"))
    if denials := session.permission_denials:
        yield Fact("Denied", denied_tools(denials))
    for restart in load_restarts(session):
        yield Fact("Restart", one_line(restart.note))
    for process in found.left_running:
        yield Fact("Still runs", one_line(f"{process.pid} {process.command}"), is_code=True)
    yield Fact("Session", session.id, is_code=True)
    if session.claude_session_id and session.claude_session_id != session.id:
        yield Fact("In Claude Code", one_line(session.claude_session_id), is_code=True)


def _family(found: Inspection) -> Iterator[Fact]:
    if found.session.parent_session_id:
        yield Fact("Continues", found.session.parent_session_id, is_code=True)
    for child in found.children:
        yield Fact("Continued by", child, is_code=True)


def _moment(name: str, milliseconds: int) -> Fact:
    moment = Timestamp(milliseconds)
    return Fact(name, moment.words, moment)


def _runs(spent: Costs, session: Session) -> Iterator[CostRow]:
    """Where there are several, and one at least has told."""
    if len(spent.runs) < 2 or not any(spent.runs):
        return
    for number, run in enumerate(spent.runs, 1):
        name = f"run {number}"
        yield CostRow(name, "—", "—", "—", "—", "—") if run is None else _cost_row(name, run)


def _model(model: str | None) -> str:
    return "not told by model" if model is None else one_line(model)


def _cost_row(name: str, spent: Spent) -> CostRow:
    tokens: Tokens = spent.tokens
    return CostRow(
        name=name,
        input=f"{tokens.input:,}",
        output=f"{tokens.output:,}",
        cache_read=f"{tokens.cache_read:,}",
        cache_write=f"{tokens.cache_creation:,}",
        cost="—" if spent.cost_usd is None else _dollars(spent.cost_usd),
    )


def _dollars(amount: float) -> str:
    """Cents, and where they would say nothing as many digits as say something."""
    return f"${amount:.2f}" if amount >= 0.1 or not amount else f"${amount:.4f}"
