"""One session on one screen of a terminal: what happened, what it cost, what it said, and what to do now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from hldctl.cli.output import one_line, shortened
from hldctl.cli.render.activity import STYLES as STYLES_OF_DOING
from hldctl.cli.render.activity import clocked
from hldctl.cli.render.format import abbreviate_home, age, clock, compact_count
from hldctl.cli.render.session_table import context_percent, context_style, ending
from hldctl.cli.render.session_text import denied_tools, next_commands, settings
from hldctl.cli.terminal.rich_console import STYLES
from hldctl.sessions.activity import Activity
from hldctl.sessions.details import Inspection
from hldctl.states import Status
from hldctl.store.session import Session

_WIDEST = 100
"""Lines longer than this are no pleasure to read."""
_BAR = 20
_FEWEST_LINES = 6
"""Of the result, however small the terminal."""
_INDENT = 2
_LABELS = 12
_NAMED = 5


@dataclass(frozen=True)
class Page:
    found: Inspection
    files: str
    """Its directory."""
    doing: Activity | None
    last_words: str | None
    """What was said last, by one that has not ended."""


def draw(page: Page, console: Console) -> None:
    now = time.time()
    width = min(console.width, _WIDEST)
    above: list[Text | Table] = [*_header(page, now, width), Text(), _facts(page, now, width)]
    below: list[Text | Table] = [Text(), _next(page)]
    taken = sum(len(console.render_lines(part, console.options.update(width=width))) for part in (*above, *below))
    # One line for the prompt that comes then.
    body = list(_body(page, console, width, console.height - taken - 1))
    for part in (*above, *body, *below):
        console.print(part, width=width)


def _header(page: Page, now: float, width: int) -> Iterator[Text]:
    session = page.found.session
    yield Text(shortened(session.title or session.summary, 2 * width - 2), "bold")
    status = Status(session.status)
    word = "waiting for permission" if status is Status.WAITING_INPUT else str(status)
    name = f"  {one_line(session.name)}" if session.name else ""
    yield Text.assemble(
        (session.id[:8], "cyan"), (name, "cyan"), "  ", (f"● {word}", STYLES[status]), _when(session, now)
    )


def _when(session: Session, now: float) -> str:
    if session.completed_at is not None:
        why = f", {reason}" if (reason := ending(session)) else ""
        ran = f" after {clock(session.duration_ms / 1000)}" if session.duration_ms is not None else ""
        return f"{ran}{why}, {age(now - session.completed_at / 1000)} ago"
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
    session = page.found.session
    if session.error_message:
        yield "error", Text(one_line(session.error_message), "red")
    if page.doing is not None:
        yield "now", _now(page.doing, now)
    if one_line(session.query) != one_line(session.title or session.summary):
        yield "query", Text(shortened(session.query, 2 * (width - _LABELS)))
    if model := session.model_id or session.model:
        yield "model", Text(one_line(model))
    if spent := list(_spent(session)):
        yield "spent", Text(", ".join(spent))
    if (percent := context_percent(session)) is not None:
        yield "context", _bar(percent, session)
    yield "directory", Text(one_line(abbreviate_home(session.working_dir)))
    yield from _marked(page.found)
    yield "files", Text(one_line(abbreviate_home(page.files)), "dim")


def _now(doing: Activity, now: float) -> Text:
    words, elapsed = clocked(doing, now)
    return Text.assemble((words, STYLES_OF_DOING.get(doing.doing, "")), (f"  {elapsed}" if elapsed else "", "dim"))


def _spent(session: Session) -> Iterator[str]:
    if session.cost_usd is not None:
        yield f"${session.cost_usd:.2f}"
    if session.num_turns is not None:
        yield f"{session.num_turns} turn{'' if session.num_turns == 1 else 's'}"
    cached = (session.cache_read_input_tokens or 0) + (session.cache_creation_input_tokens or 0)
    tokens = {"in": session.input_tokens, "out": session.output_tokens, "cached": cached}
    told = [f"{compact_count(count)} {name}" for name, count in tokens.items() if count]
    if told:
        yield f"tokens: {', '.join(told)}"


def _bar(percent: int, session: Session) -> Text:
    full = max(0, min(_BAR, round(percent * _BAR / 100)))
    return Text.assemble(
        ("█" * full, context_style(percent) or "green"),
        ("░" * (_BAR - full), "dim"),
        f" {percent}% of {compact_count(session.context_window or 0)}",
    )


def _marked(found: Inspection) -> Iterator[tuple[str, Text]]:
    """What is not so with every session."""
    session = found.session
    if found.elsewhere:
        yield "runs", Text(found.elsewhere, "yellow")
    if said := settings(session):
        yield "settings", Text(", ".join(said))
    for rule in found.rules:
        yield "allowed", Text(shortened(f"{rule['id']}: {rule['words']}", _WIDEST))
    for server in found.mcp_servers:
        if server.status not in (None, "connected"):
            yield "mcp server", Text(one_line(f"{server.name} {server.status}"), "yellow")
    if denials := session.permission_denials:
        yield "denied", Text(denied_tools(denials), "yellow")
    if session.restarts:
        last = one_line(session.restarts[-1]["reason"])
        yield "restarts", Text(f"{len(session.restarts)}, last for: {last}")
    if session.parent_session_id:
        yield "continues", Text(session.parent_session_id[:8])
    if found.children:
        others = f" and {len(found.children) - _NAMED} more" if len(found.children) > _NAMED else ""
        yield "continued", Text("by " + ", ".join(child[:8] for child in found.children[:_NAMED]) + others)
    for process in found.left_running:
        yield "still runs", Text(one_line(f"{process.pid} {process.command}"), "yellow")


def _body(page: Page, console: Console, width: int, room: int) -> Iterator[RenderableType]:
    """The result, or what was said last, cut to what the screen has room for."""
    session = page.found.session
    said = session.result_content if session.completed_at is not None else page.last_words
    # One that failed may have no other result than its error.
    if not said or one_line(said) == one_line(session.error_message or ""):
        return
    # As slow to import as all else; a session that has said nothing does without.
    from hldctl.cli.render import markdown

    # The heading, the blank lines around it, and the line that tells of the rest.
    room = max(_FEWEST_LINES, room - 4)
    source = said.split("\n")
    # A long one is not drawn for the lines that nobody sees; each of its lines makes one at least.
    lines = markdown.drawn("\n".join(source[: 2 * room])[: 2 * room * width], console, width - _INDENT)
    hidden = max(0, len(lines) - room) + max(0, len(source) - 2 * room)
    yield Text()
    yield Text("result" if session.completed_at is not None else "said last", "bold")
    yield Text()
    for line in lines[:room]:
        yield Segments([Segment(" " * _INDENT), *line, Segment.line()])
    if hidden:
        yield Text(f"{'':{_INDENT}}… {hidden} more lines: hldctl show {session.id[:8]} --events", "dim")


def _next(page: Page) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for command, effect in next_commands(page.found.session, page.found.waiting):
        grid.add_row(Text(f"{'':{_INDENT}}{command}", "cyan"), Text(effect, "dim"))
    return grid
