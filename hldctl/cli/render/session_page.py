"""A summary of one session that fits on the screen, with the commands to use next."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from hldctl.cli.output import one_line, truncate
from hldctl.cli.render.activity import STYLES as STYLES_OF_DOING
from hldctl.cli.render.activity import describe_activity
from hldctl.cli.render.asking import waiting_text
from hldctl.cli.render.format import abbreviate_home, age, clock, compact_count
from hldctl.cli.render.run_time import run_time_ms, time_at_work
from hldctl.cli.render.session_table import context_percent, context_style, ending
from hldctl.cli.render.session_text import (
    check_text,
    denied_tools,
    failed_command,
    next_commands,
    predecessor_text,
    settings,
    undelivered_name,
    worktree_text,
)
from hldctl.cli.terminal.rich_console import STYLES
from hldctl.sessions.inspect.activity import Activity
from hldctl.sessions.inspect.details import SessionDetails
from hldctl.states import Status
from hldctl.store.json_view import check_object
from hldctl.store.session import Session

# Columns: longer lines are tiring to read.
_MAX_WIDTH = 100
# Columns of the bar for the context window.
_BAR_WIDTH = 20
# Lines of the result, however small the terminal.
_MIN_RESULT_LINES = 6
_INDENT = 2
# Columns of the labels.
_LABEL_WIDTH = 12
# Continuations, and launched sessions, that are listed.
_MAX_IDS = 5


@dataclass(frozen=True)
class Page:
    """The data that is shown."""

    inspection: SessionDetails
    files: str
    """The session's directory."""
    doing: Activity | None
    last_message: str | None
    """Claude's last message, if the session is still running."""


def draw(page: Page, console: Console) -> None:
    """Print the page."""
    now = time.time()
    width = min(console.width, _MAX_WIDTH)
    above: list[Text | Table] = [*_header(page, now, width), Text(), _facts(page, now, width)]
    below: list[Text | Table] = [Text(), _next(page)]
    taken = sum(len(console.render_lines(part, console.options.update(width=width))) for part in (*above, *below))
    # Leave one line for the shell's prompt.
    body = list(_body(page, console, width, console.height - taken - 1))
    for part in (*above, *body, *below):
        console.print(part, width=width)


def _header(page: Page, now: float, width: int) -> Iterator[Text]:
    session = page.inspection.session
    yield Text(truncate(session.title or session.summary, 2 * width - 2), "bold")
    status = Status(session.status)
    asked = [request.tool_name for request in page.inspection.pending_requests]
    word = waiting_text(asked) if status is Status.WAITING_INPUT else str(status)
    name = f"  {one_line(session.name)}" if session.name else ""
    yield Text.assemble(
        (session.id[:8], "cyan"), (name, "cyan"), "  ", (f"● {word}", STYLES[status]), _times(session, now)
    )


def _times(session: Session, now: float) -> str:
    if session.completed_at is not None:
        reason_text = f", {reason}" if (reason := ending(session)) else ""
        work = f" ({at_work})" if (at_work := time_at_work(session)) else ""
        total = clock((run_time_ms(session) or 0) / 1000)
        return f" after {total}{work}{reason_text}, {age(now - session.completed_at / 1000)} ago"
    if session.status == Status.STARTING:
        return ""
    if session.started_at is None:
        return f" for {clock(now - session.created_at / 1000)}"
    return f", started {clock(now - session.started_at / 1000)} ago"


def _facts(page: Page, now: float, width: int) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=False)
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in _named_facts(page, now, width):
        grid.add_row(Text(name), value)
    return grid


def _named_facts(page: Page, now: float, width: int) -> Iterator[tuple[str, Text]]:
    session = page.inspection.session
    if session.error_message:
        yield "error", Text(one_line(session.error_message), "red")
    if page.doing is not None:
        yield "now", _now(page.doing, now)
    if one_line(session.query) != one_line(session.title or session.summary):
        yield "query", Text(truncate(session.query, 2 * (width - _LABEL_WIDTH)))
    if model := session.model_id or session.model:
        yield "model", Text(one_line(model))
    if spent := list(_spending_lines(session)):
        yield "spent", Text(", ".join(spent))
    if (percent := context_percent(session)) is not None:
        yield "context", _bar(percent, session)
    yield "directory", Text(one_line(abbreviate_home(session.working_dir)))
    if session.worktree is not None:
        yield "worktree", Text(worktree_text(session))
    yield from _special_facts(page.inspection, now)
    yield "files", Text(one_line(abbreviate_home(page.files)), "dim")


def _now(doing: Activity, now: float) -> Text:
    text, elapsed = describe_activity(doing, now)
    return Text.assemble((text, STYLES_OF_DOING.get(doing.kind, "")), (f"  {elapsed}" if elapsed else "", "dim"))


def _spending_lines(session: Session) -> Iterator[str]:
    if session.cost_usd is not None:
        yield f"${session.cost_usd:.2f}"
    if session.num_turns is not None:
        yield f"{session.num_turns} turn{'' if session.num_turns == 1 else 's'}"
    cached = (session.cache_read_input_tokens or 0) + (session.cache_creation_input_tokens or 0)
    tokens = {"in": session.input_tokens, "out": session.output_tokens, "cached": cached}
    counts = [f"{compact_count(count)} {name}" for name, count in tokens.items() if count]
    if counts:
        yield f"tokens: {', '.join(counts)}"


def _bar(percent: int, session: Session) -> Text:
    full = max(0, min(_BAR_WIDTH, round(percent * _BAR_WIDTH / 100)))
    return Text.assemble(
        ("█" * full, context_style(percent) or "green"),
        ("░" * (_BAR_WIDTH - full), "dim"),
        f" {percent}% of {compact_count(session.context_window or 0)}",
    )


def _special_facts(inspection: SessionDetails, now: float) -> Iterator[tuple[str, Text]]:
    """Yield facts that only some sessions have."""
    session = inspection.session
    if (opened := inspection.opened) is not None:
        yield "open", Text(f"in a terminal (pid {opened.pid}) for {clock(now - opened.since_ms / 1000)}", "yellow")
    if inspection.namespace_advice:
        yield "runs", Text(inspection.namespace_advice, "yellow")
    if setting_texts := settings(session):
        yield "settings", Text(", ".join(setting_texts))
    for rule in inspection.rules:
        yield "allowed", Text(truncate(f"{rule['id']}: {rule['words']}", _MAX_WIDTH))
    for message in inspection.undelivered:
        yield undelivered_name(session), Text(truncate(message.text, _MAX_WIDTH), "yellow")
    for server in inspection.mcp_servers:
        if server.status not in (None, "connected"):
            yield "mcp server", Text(one_line(f"{server.name} {server.status}"), "yellow")
    for failure in inspection.failed_commands:
        yield failure.setting, Text(failed_command(failure), "yellow")
    if denials := session.permission_denials:
        yield "denied", Text(denied_tools(denials), "yellow")
    if (check := check_object(session)) is not None:
        yield "check", Text(f"{check_text(check)}: {one_line(check['command'])}")
    if session.restarts:
        reason = one_line(session.restarts[-1]["reason"])
        yield "restarts", Text(f"{len(session.restarts)}, last reason: {reason}")
    if inspection.predecessors:
        states = [predecessor_text(each, each.id[:8]) for each in inspection.predecessors]
        yield "after", Text("; ".join(states))
    if session.parent_session_id:
        yield "continues", Text(session.parent_session_id[:8])
    if inspection.child_ids:
        yield "continued", Text(f"by {_short_ids(inspection.child_ids)}")
    if session.launched_by:
        yield "launched by", Text(session.launched_by[:8])
    if inspection.launched_ids:
        yield "launched", Text(_short_ids(inspection.launched_ids))
    for process in inspection.left_running:
        yield "left running", Text(one_line(f"{process.pid} {process.command}"), "yellow")


def _short_ids(ids: Sequence[str]) -> str:
    others = f" and {len(ids) - _MAX_IDS} more" if len(ids) > _MAX_IDS else ""
    return ", ".join(each[:8] for each in ids[:_MAX_IDS]) + others


def _body(page: Page, console: Console, width: int, room: int) -> Iterator[RenderableType]:
    """Yield the result or the last message, truncated to the height of the screen."""
    session = page.inspection.session
    message = session.result_content if session.completed_at is not None else page.last_message
    # After a failure the result may be the same text as the error.
    if not message or one_line(message) == one_line(session.error_message or ""):
        return
    # Imported here, since it takes as long to import as everything else together.
    from hldctl.cli.render import markdown

    # The heading, the blank lines around it, and the line with the number of hidden lines.
    room = max(_MIN_RESULT_LINES, room - 4)
    source = message.split("\n")
    # Render no more than can be visible: each source line makes at least one line.
    lines = markdown.render_markdown("\n".join(source[: 2 * room])[: 2 * room * width], console, width - _INDENT)
    hidden = max(0, len(lines) - room) + max(0, len(source) - 2 * room)
    yield Text()
    yield Text("result" if session.completed_at is not None else "last message", "bold")
    yield Text()
    for line in lines[:room]:
        yield Segments([Segment(" " * _INDENT), *line, Segment.line()])
    if hidden:
        yield Text(f"{'':{_INDENT}}… {hidden} more lines: hldctl show {session.id[:8]} --events", "dim")


def _next(page: Page) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for command, effect in next_commands(page.inspection.session, page.inspection.pending_requests):
        grid.add_row(Text(f"{'':{_INDENT}}{command}", "cyan"), Text(effect, "dim"))
    return grid
