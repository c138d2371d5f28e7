"""The sessions as a table on a terminal: as many columns as its width has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from hldctl.cli.age import age, clock
from hldctl.cli.doing import STYLES as STYLES_OF_DOING
from hldctl.cli.doing import clocked
from hldctl.cli.output import one_line
from hldctl.cli.screen import STYLES
from hldctl.sessions.activity import Activity
from hldctl.states import EndReason, Status
from hldctl.store.models import Session

_GAP = 2
_LEAST = {"TITLE": 18, "ACTIVITY": 18}
"""Below this a text says nothing; the columns that have a least are cut before others are left out."""
_LEFT_OUT_FIRST = ("TIME", "TURNS", "CTX", "COST", "AGE", "ACTIVITY", "STATUS")
_ALWAYS = frozenset({"ID", "TITLE", "TIME", "AGE"})
"""Any other column is left out while nothing stands in it."""
_NUMBERS = frozenset({"COST", "TURNS", "CTX", "TIME", "AGE"})
_FULL_CONTEXT, _NEARLY_FULL_CONTEXT = 90, 75
"""Percent."""
_OUTCOME_STYLES = {Status.FAILED: "red"}


@dataclass(frozen=True)
class Row:
    session: Session
    outcome: str
    """Of one that has ended: the beginning of its error or its result."""
    depth: int = 0


@dataclass(frozen=True)
class _Cell:
    text: Text
    tail: Text = field(default_factory=Text)
    """What is never cut, such as a clock."""

    @property
    def width(self) -> int:
        return cell_len(self.text.plain) + cell_len(self.tail.plain)

    def drawn(self, width: int, *, to_the_right: bool) -> Text:
        text = self.text.copy()
        text.truncate(max(1, width - cell_len(self.tail.plain)), overflow="ellipsis")
        text.append_text(self.tail)
        text.truncate(width, overflow="ellipsis")
        blank = " " * (width - cell_len(text.plain))
        return Text.assemble(blank, text) if to_the_right else text.append(blank)


def lines(rows: Sequence[Row], doing: Mapping[str, Activity], *, width: int, now: float) -> list[Text]:
    """The header, and a line for each; none is wider than the terminal."""
    columns = {
        "ID": [_Cell(Text(row.session.id[:8], _calm(row))) for row in rows],
        "STATUS": [_Cell(status(row.session.status)) for row in rows],
        "TITLE": [_title(row) for row in rows],
        "ACTIVITY": [_activity(row, doing.get(row.session.id), now) for row in rows],
        "COST": [_number(row, row.session.cost_usd, "${:.2f}") for row in rows],
        "TURNS": [_number(row, row.session.num_turns, "{}") for row in rows],
        "CTX": [_context(row) for row in rows],
        "TIME": [_number(row, clock(_seconds(row.session, now)), "{}") for row in rows],
        "AGE": [_number(row, age(now - row.session.created_at / 1000), "{}") for row in rows],
    }
    natural = {name: max(cell.width for cell in cells) for name, cells in columns.items()}
    widths = _widths({name: max(len(name), room) for name, room in natural.items() if room or name in _ALWAYS}, width)
    drawn = [[_Cell(Text(name, "dim")), *columns[name]] for name in widths]
    return [_line(cells, widths) for cells in zip(*drawn, strict=True)]


def status(value: str) -> Text:
    return Text("waiting" if value == Status.WAITING_INPUT else value, STYLES[Status(value)])


def context_percent(session: Session) -> int | None:
    """How full the context window is."""
    if not session.effective_context_tokens or not session.context_window:
        return None
    return round(100 * session.effective_context_tokens / session.context_window)


def context_style(percent: int) -> str:
    return "red" if percent >= _FULL_CONTEXT else "yellow" if percent >= _NEARLY_FULL_CONTEXT else ""


def ending(session: Session) -> str:
    """Why it ended, unless its status says that."""
    reason = session.end_reason or ""
    return "" if reason in (EndReason.SUCCESS, EndReason.INTERRUPTED) else reason.replace("_", " ")


def _widths(natural: Mapping[str, int], width: int) -> dict[str, int]:
    """The columns that are shown, and what each gets of the terminal's width."""
    shown = dict(natural)
    for name in _LEFT_OUT_FIRST:
        if _room(_least(shown)) <= width:
            break
        shown.pop(name, None)
    widths = _least(shown)
    spare = width - _room(widths)
    title, activity = (shown.get(name, 0) - widths.get(name, 0) for name in _LEAST)
    # Where both have to be cut each gets half; what one does not need is the other's.
    given = max(0, min(title, max(spare // 2, spare - activity)))
    # On a terminal of a few columns there is less than nothing to give.
    widths["TITLE"] = max(1, widths["TITLE"] + (given if spare >= 0 else spare))
    if "ACTIVITY" in widths:
        widths["ACTIVITY"] += min(activity, spare - given)
    return widths


def _least(shown: Mapping[str, int]) -> dict[str, int]:
    return {name: min(room, _LEAST.get(name, room)) for name, room in shown.items()}


def _room(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _line(cells: Sequence[_Cell], widths: Mapping[str, int]) -> Text:
    drawn = [
        cell.drawn(room, to_the_right=name in _NUMBERS)
        for cell, (name, room) in zip(cells, widths.items(), strict=True)
    ]
    line = Text(" " * _GAP).join(drawn)
    line.rstrip()
    return line


def _has_ended(row: Row) -> bool:
    return Status(row.session.status).has_ended


def _calm(row: Row) -> str:
    return "dim" if _has_ended(row) else ""


def _number(row: Row, value: object, template: str) -> _Cell:
    return _Cell(Text("" if value is None else template.format(value), _calm(row)))


def _context(row: Row) -> _Cell:
    percent = context_percent(row.session)
    return _Cell(Text("" if percent is None else f"{percent}%", _calm(row) or context_style(percent or 0)))


def _seconds(session: Session, now: float) -> float:
    """How long it ran, or has run."""
    if session.completed_at is not None:
        return (session.duration_ms or 0) / 1000
    return now - (session.started_at or session.created_at) / 1000


def _title(row: Row) -> _Cell:
    session = row.session
    branch = "  " * (row.depth - 1) + "└ " if row.depth else ""
    name = f"{one_line(session.name)}: " if session.name else ""
    title = one_line(session.title or session.summary)
    return _Cell(Text.assemble((branch, "dim"), (name, "cyan"), (title, "" if _has_ended(row) else "bold")))


def _activity(row: Row, doing: Activity | None, now: float) -> _Cell:
    if _has_ended(row) or doing is None:
        # A result is Markdown; its first line is often a heading.
        said = one_line(row.outcome).lstrip("#*_> ").replace("**", "")
        return _Cell(Text(said or ending(row.session), _OUTCOME_STYLES.get(Status(row.session.status), "dim")))
    words, elapsed = clocked(doing, now)
    return _Cell(Text(words, STYLES_OF_DOING.get(doing.doing, "")), Text(f" {elapsed}" if elapsed else "", "dim"))
