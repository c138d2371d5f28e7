"""The sessions as a table on a terminal, with as many columns as fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from hldctl.cli.output import one_line
from hldctl.cli.render import table_layout
from hldctl.cli.render.activity import STYLES as STYLES_OF_DOING
from hldctl.cli.render.activity import describe_activity
from hldctl.cli.render.format import age, clock
from hldctl.cli.render.run_time import run_time_ms
from hldctl.cli.render.session_text import worktree_branch, worktree_numbers
from hldctl.cli.render.table_layout import Cell, Layout
from hldctl.cli.terminal.rich_console import STYLES
from hldctl.sessions.inspect.activity import Activity
from hldctl.sessions.inspect.terminals import Opened
from hldctl.states import EndReason, Status
from hldctl.store.session import Session

_LAYOUT = Layout(
    removal_order=("TIME", "TURNS", "CTX", "WORKTREE", "COST", "AGE", "ACTIVITY", "MACHINE", "STATUS"),
    shown_if_empty=frozenset({"ID", "TITLE", "TIME", "AGE"}),
    numbers=frozenset({"COST", "TURNS", "CTX", "TIME", "AGE"}),
)
# Use of the context window from which on it is highlighted.
_FULL_PERCENT, _NEARLY_FULL_PERCENT = 90, 75
_HEADING = re.compile(r"#{1,6} +(.*?)[\s#:.]*$")
_OUTCOME_STYLES = {Status.FAILED: "red"}


@dataclass(frozen=True)
class Row:
    """A session, and what is shown beside it."""

    session: Session
    outcome: str
    """The start of the error or result of a session that has ended."""
    branch: str = ""
    """The branch of the tree before its title."""
    opened: Opened | None = None
    """The `hldctl open` that has it open in a terminal."""
    machine: str = ""
    """Its machine, in a list of several machines."""


def lines(rows: Sequence[Row], doing: Mapping[str, Activity], *, width: int, now: float) -> list[Text]:
    """Return the header, and a line for each session; none is wider than the terminal."""
    cells = {
        "ID": [Cell(Text(row.session.id[:8], _style(row))) for row in rows],
        "MACHINE": [Cell(Text(row.machine, _style(row))) for row in rows],
        "STATUS": [Cell(status(row.session.status)) for row in rows],
        "TITLE": [title(row) for row in rows],
        "ACTIVITY": [activity(row, doing.get(row.session.id), now) for row in rows],
        "WORKTREE": [worktree(row) for row in rows],
        "COST": [number(row, row.session.cost_usd, "${:.2f}") for row in rows],
        "TURNS": [number(row, row.session.num_turns, "{}") for row in rows],
        "CTX": [context(row) for row in rows],
        "TIME": [number(row, clock(_seconds(row.session, now)), "{}") for row in rows],
        "AGE": [number(row, age(now - row.session.created_at / 1000), "{}") for row in rows],
    }
    return table_layout.lines(cells, _LAYOUT, width)


def status(value: str) -> Text:
    return Text("waiting" if value == Status.WAITING_INPUT else value, STYLES[Status(value)])


def context_percent(session: Session) -> int | None:
    """Return how full the context window is; None if unknown."""
    if not session.effective_context_tokens or not session.context_window:
        return None
    return int(100 * session.effective_context_tokens / session.context_window + 0.5)


def context_style(percent: int) -> str:
    return "red" if percent >= _FULL_PERCENT else "yellow" if percent >= _NEARLY_FULL_PERCENT else ""


def ending(session: Session) -> str:
    """Return the end reason, or an empty string if the status implies it."""
    reason = session.end_reason or ""
    return "" if reason in (EndReason.SUCCESS, EndReason.INTERRUPTED) else reason.replace("_", " ")


def _has_ended(row: Row) -> bool:
    return Status(row.session.status).has_ended


def _style(row: Row) -> str:
    return "dim" if _has_ended(row) else ""


def number(row: Row, value: object, template: str) -> Cell:
    return Cell(Text("" if value is None else template.format(value), _style(row)))


def worktree(row: Row) -> Cell:
    """Return the branch of a worktree, and how it differs from its base."""
    numbers = worktree_numbers(row.session)
    return Cell(Text(worktree_branch(row.session), _style(row)), Text(f" {numbers}" if numbers else "", "dim"))


def context(row: Row) -> Cell:
    percent = context_percent(row.session)
    return Cell(Text("" if percent is None else f"{percent}%", _style(row) or context_style(percent or 0)))


def _seconds(session: Session, now: float) -> float:
    """Return how long the session ran, or has been running."""
    if (total_ms := run_time_ms(session)) is not None:
        return total_ms / 1000
    return now - float(session.started_at or session.created_at) / 1000


def title(row: Row) -> Cell:
    session = row.session
    name = f"{one_line(session.name)}: " if session.name else ""
    title = one_line(session.title or session.summary)
    return Cell(Text.assemble((row.branch, "dim"), (name, "cyan"), (title, "" if _has_ended(row) else "bold")))


def activity(row: Row, doing: Activity | None, now: float) -> Cell:
    if row.opened is not None:
        return Cell(Text("open in a terminal", "yellow"), Text(f" {clock(now - row.opened.since_ms / 1000)}", "dim"))
    if _has_ended(row) or doing is None:
        outcome = one_line(_strip_markup(row.outcome))
        return Cell(Text(outcome or ending(row.session), _OUTCOME_STYLES.get(Status(row.session.status), "dim")))
    text, elapsed = describe_activity(doing, now)
    return Cell(Text(text, STYLES_OF_DOING.get(doing.kind, "")), Text(f" {elapsed}" if elapsed else "", "dim"))


def _strip_markup(markdown: str) -> str:
    """Return Markdown without its markup; a heading is separated from the text by a colon."""
    lines = (line.strip() for line in markdown.splitlines() if not line.lstrip().startswith("```"))
    text = "\n".join(_HEADING.sub(r"\1:", line) if _HEADING.match(line) else line for line in lines)
    return text.replace("**", "").replace("`", "").lstrip("*_> \n").rstrip(":\n")
