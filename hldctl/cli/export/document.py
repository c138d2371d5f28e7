"""The content of an exported document, independent of its format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from hldctl.claude.usage import Spending, Tokens
from hldctl.cli.export.transcript import Block, BlockEnd, Transcript, permission
from hldctl.cli.output import escape_control_chars, one_line, truncate
from hldctl.cli.render.asking import waiting_text
from hldctl.cli.render.events import tool_calls
from hldctl.cli.render.format import Timestamp, clock
from hldctl.cli.render.run_time import run_time_ms, time_at_work
from hldctl.cli.render.session_table import context_percent, ending
from hldctl.cli.render.session_text import check_text, denied_tools, predecessor_text, settings
from hldctl.paths import StateDirectory
from hldctl.protocol.restart import load_restarts
from hldctl.sessions.inspect import costs, outline
from hldctl.sessions.inspect.costs import Costs
from hldctl.sessions.inspect.details import SessionDetails
from hldctl.sessions.inspect.outline import Outline
from hldctl.states import ApprovalStatus, Status
from hldctl.store import approvals, events
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.json_view import check_object
from hldctl.store.session import Session
from hldctl.system.clock import current_time_ms

# Characters of a prompt or a call in a list of links.
_MAX_LINK_LENGTH = 120
# Entries of a list of links.
_MAX_LINKS = 50


@dataclass(frozen=True)
class Fact:
    """A property of the session."""

    name: str
    text: str
    timestamp: Timestamp | None = None
    is_code: bool = False


@dataclass(frozen=True)
class Link:
    """A link to an event of the conversation."""

    sequence: int
    text: str


@dataclass(frozen=True)
class CostRow:
    """Tokens and cost of a model or a run, as text."""

    name: str
    input: str
    output: str
    cache_read: str
    cache_write: str
    cost: str


@dataclass(frozen=True)
class Document:
    """All that is exported, as text; the conversation is read while it is written."""

    title: str
    id: str
    name: str
    status: str
    status_text: str
    has_ended: bool
    exported_at: Timestamp
    prompt: str
    """Empty if the title is the whole prompt."""
    result: str
    error: str
    numbers: list[tuple[str, str]]
    """The most important numbers: the value and what it counts."""
    facts: list[Fact]
    costs: list[CostRow]
    total: CostRow | None
    runs: list[CostRow]
    prompts: list[Link]
    """Links to the first prompts."""
    more_prompts: int
    failed: list[Link]
    """Links to the first failed calls."""
    more_failed: int
    permissions: list[str]
    """Permission requests without a call in the conversation."""
    _outline: Outline
    _transcript: Transcript

    def blocks(self) -> Iterator[Block | BlockEnd]:
        """Yield the conversation; the database has to be open."""
        yield from self._transcript.blocks(self._outline.walk())


def build_document(state: StateDirectory, inspection: SessionDetails) -> Document:
    """Return the document of a session; the database has to be open, also while it is written."""
    session = inspection.session
    session_outline = outline.load_outline(session.id)
    session_costs = costs.session_costs(state, session)
    requests = approvals.session_approvals(current_connection(), session.id)
    requests_by_call: defaultdict[str, list[Approval]] = defaultdict(list)
    for approval in requests:
        requests_by_call[approval.tool_use_id or ""].append(approval)
    status = Status(session.status)
    return Document(
        title=_title(session),
        id=session.id,
        name=one_line(session.name or ""),
        status=status,
        status_text=_status_text(session, requests),
        has_ended=status.has_ended,
        exported_at=Timestamp(current_time_ms()),
        prompt=inspection.sent_query or _prompt(session),
        result=_result(session),
        error=escape_control_chars(session.error_message or ""),
        numbers=list(_numbers(session, session_outline)),
        facts=list(_facts(inspection)),
        costs=[_cost_row(_model(model), each) for model, each in session_costs.models.items()],
        total=_cost_row("all", session_costs.total)
        if any(session_costs.total.tokens) or session_costs.total.cost_usd
        else None,
        runs=list(_runs(session_costs, session)),
        prompts=_links([(line.sequence, line.beginning) for line in session_outline.prompts[:_MAX_LINKS]]),
        more_prompts=max(0, len(session_outline.prompts) - _MAX_LINKS),
        failed=_links(list(_failed_calls(session, session_outline))),
        more_failed=max(0, len(session_outline.failed) - _MAX_LINKS),
        permissions=[
            f"{one_line(request.tool_name)}: {permission(request)}" for request in requests_by_call.get("", ())
        ],
        _outline=session_outline,
        _transcript=Transcript(session, requests_by_call),
    )


def _links(entries: list[tuple[int, str]]) -> list[Link]:
    return [Link(sequence, truncate(text, _MAX_LINK_LENGTH) or "(empty)") for sequence, text in entries]


def _failed_calls(session: Session, session_outline: Outline) -> Iterator[tuple[int, str]]:
    for line in session_outline.failed[:_MAX_LINKS]:
        if (call := events.event_at(session.id, line.sequence)) is not None:
            yield line.sequence, f"{tool_calls.name(call)}: {tool_calls.argument(call, session.working_dir)}"


def _status_text(session: Session, requests: list[Approval]) -> str:
    status = Status(session.status)
    if not status.has_ended:
        asked = [request.tool_name for request in requests if request.status == ApprovalStatus.PENDING]
        status_name = waiting_text(asked) if status is Status.WAITING_INPUT else str(status)
        return f"{status_name.capitalize()}: not ended yet"
    reason_text = f": {reason}" if (reason := ending(session)) else ""
    return f"{str(status).capitalize()} after {clock((run_time_ms(session) or 0) / 1000)}{reason_text}"


def _prompt(session: Session) -> str:
    return "" if one_line(session.query) == _title(session) else escape_control_chars(session.query).strip("\n")


def _title(session: Session) -> str:
    return one_line(session.title or session.summary) or "Untitled session"


def _result(session: Session) -> str:
    """Return the result; empty if it is the same text as the error."""
    text = escape_control_chars(session.result_content or "").strip("\n")
    return "" if one_line(text) == one_line(session.error_message or "") else text


def _numbers(session: Session, session_outline: Outline) -> Iterator[tuple[str, str]]:
    if session.cost_usd is not None:
        yield _dollars(session.cost_usd), "cost"
    if session.num_turns is not None:
        yield str(session.num_turns), "turn" if session.num_turns == 1 else "turns"
    if (total_ms := run_time_ms(session)) is not None:
        yield clock(total_ms / 1000), "run time"
    if at_work := time_at_work(session):
        yield at_work.removesuffix(" at work"), "at work"
    if calls := session_outline.tools.total():
        yield str(calls), "tool call" if calls == 1 else "tool calls"
    if failed := len(session_outline.failed):
        yield str(failed), "failed or denied" if session.permission_denials else "failed"
    if percent := context_percent(session):
        yield f"{percent}%", "context used"


def _facts(inspection: SessionDetails) -> Iterator[Fact]:
    session = inspection.session
    if model := session.model_id or session.model:
        yield Fact("Model", one_line(model), is_code=True)
    yield Fact("Directory", one_line(session.working_dir), is_code=True)
    if session.was_queued or session.started_at is None:
        yield _timestamp("Launched", session.created_at)
    if session.started_at is not None:
        yield _timestamp("Started", session.started_at)
    if session.completed_at is not None:
        yield _timestamp("Ended", session.completed_at)
    yield from _family(inspection)
    if setting_texts := settings(session):
        yield Fact("Settings", ", ".join(setting_texts))
    for server in inspection.mcp_servers:
        yield Fact("MCP server", one_line(f"{server.name} {server.status or 'not started'}"))
    if denials := session.permission_denials:
        yield Fact("Denied", denied_tools(denials))
    if (check := check_object(session)) is not None:
        yield Fact("Check", f"{one_line(check['command'])}: {check_text(check)}")
    for restart in load_restarts(session):
        yield Fact("Restart", one_line(restart.note))
    for process in inspection.left_running:
        yield Fact("Left running", one_line(f"{process.pid} {process.command}"), is_code=True)
    yield Fact("Session", session.id, is_code=True)
    if session.claude_session_id and session.claude_session_id != session.id:
        yield Fact("Claude Code session", one_line(session.claude_session_id), is_code=True)


def _family(inspection: SessionDetails) -> Iterator[Fact]:
    for predecessor in inspection.predecessors:
        yield Fact("After", predecessor_text(predecessor, predecessor.id))
    if inspection.session.parent_session_id:
        yield Fact("Continues", inspection.session.parent_session_id, is_code=True)
    if inspection.session.launched_by:
        yield Fact("Launched by", inspection.session.launched_by, is_code=True)
    for child in inspection.child_ids:
        yield Fact("Continued by", child, is_code=True)


def _timestamp(name: str, milliseconds: int) -> Fact:
    timestamp = Timestamp(milliseconds)
    return Fact(name, timestamp.text, timestamp)


def _runs(spent: Costs, session: Session) -> Iterator[CostRow]:
    """Yield a row for each run, if there are several and the usage of at least one is known."""
    if len(spent.runs) < 2 or not any(spent.runs):
        return
    for number, run in enumerate(spent.runs, 1):
        name = f"run {number}"
        yield CostRow(name, "—", "—", "—", "—", "—") if run is None else _cost_row(name, run)


def _model(model: str | None) -> str:
    return "unknown model" if model is None else one_line(model)


def _cost_row(name: str, spent: Spending) -> CostRow:
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
    """Return the amount with cents, or with four digits if it is less than ten cents."""
    return f"${amount:.2f}" if amount >= 0.1 or not amount else f"${amount:.4f}"
