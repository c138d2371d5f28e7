"""A conversation rendered for a terminal, event by event."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from hldctl.claude.tools import SHELL_TOOLS
from hldctl.cli.output import escape_control_chars, one_line
from hldctl.cli.render import wrap
from hldctl.cli.render.events import edit_diff, tool_calls, tool_result
from hldctl.cli.render.events.plain import Detail, DetailLevels, approval_line, denial, is_shown_with_result
from hldctl.cli.render.format import format_duration, noticeable_duration
from hldctl.cli.render.markdown import SafeMarkdown, harmless_segment
from hldctl.cli.render.requests.line import Line
from hldctl.sessions.inspect.tool_calls import ToolCalls
from hldctl.states import ApprovalStatus, EventType, NoteKind
from hldctl.store.approvals import Approval
from hldctl.store.events import Event
from hldctl.store.session import Session

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Columns: longer lines are tiring to read.
_MAX_PROSE_WIDTH = 110
# Lines of a command's output that a brief rendering shows.
_OUTPUT_LINES = 3
# Levels of subagents that are indented; deeper ones get the same indent as the last.
_MAX_INDENT = 4

_APPROVAL_SIGNS = {
    ApprovalStatus.PENDING: ("?", "bold yellow"),
    ApprovalStatus.APPROVED: ("✓", "green"),
    ApprovalStatus.DENIED: ("✗", "red"),
    ApprovalStatus.EXPIRED: ("✗", "dim"),
}


class ConversationScreen:
    """A renderer of one session's conversation.

    Pass each event once, in order. `calls` looks up the calls that were not passed.
    """

    def __init__(
        self, console: Console, session: Session, calls: ToolCalls, levels: DetailLevels, prefix: Text
    ) -> None:
        self._console = console
        self._working_dir: str = session.working_dir
        self._thinking = levels.thinking or Detail.BRIEF
        self._tools = levels.tools or Detail.BRIEF
        self._prefix = prefix
        self._has_timestamps = levels.timestamps
        self._time = ""
        self._last_kind: str | None = None
        # The call of the subagent that the last event was part of.
        self._last_subagent: str | None = None
        self.calls = calls

    def render_approval(self, approval: Approval, *, elsewhere: bool = False) -> str:
        """Return the text for a request, pending or answered; `elsewhere` if not in this terminal.

        It is empty for a denial, which the line of the call reports.
        """
        if is_shown_with_result(approval, DetailLevels(tools=self._tools)):
            return ""
        return self._render_parts("note", 0, [_Request(approval, elsewhere)])

    def render(self, event: Event) -> str:
        """Return the text for an event; may be empty."""
        if self._has_timestamps:
            self._time = time.strftime("%H:%M:%S ", time.localtime(event.created_at / 1000))
        depth = self.calls.depth(event)
        match event.event_type:
            case EventType.MESSAGE:
                return self._render_below_heading(event, "message", depth, [self._message(event, depth)])
            case EventType.THINKING:
                return self._render_below_heading(event, "thinking", depth, list(self._thinking_parts(event)))
            case EventType.TOOL_CALL:
                self.calls.begin(event)
                return ""
            case EventType.TOOL_RESULT:
                call = self.calls.end(event)
                parts = list(self._result_parts(call, event, depth))
                return self._render_below_heading(call or event, "tool", depth, parts)
            case EventType.SYSTEM if event.note_kind == NoteKind.TASK_OF_CALL:
                return ""
            case EventType.SYSTEM if event.note_kind == NoteKind.TASK_ENDED and (call := self.calls.end(event)):
                parts = list(self._task_end_parts(call, event))
                return self._render_below_heading(call, "tool", self.calls.depth(call), parts)
        is_denial = event.note_kind == NoteKind.PERMISSION_DENIED
        if is_denial and self._tools is not Detail.NONE and self.calls.has_denied():
            return ""
        return self._render_below_heading(event, "note", depth, [Text(f"· {_one_line(event.content)}", "dim")])

    def render_open_calls(self) -> str:
        """Return the text for calls without a result, which may never come."""
        if self._tools is Detail.NONE:
            return ""
        parts = [self._call_line("○", "yellow", call, "no result", "dim") for call in self.calls.open]
        parts += [self._call_line("○", "yellow", call, "not finished", "dim") for call in self.calls.in_background]
        return self._render_parts("tool", 0, parts)

    def render_end(self, closing: Text) -> str:
        """Return the text for the closing line."""
        return self._render_parts("end", 0, [closing])

    def _render_below_heading(self, event: Event, kind: str, depth: int, parts: list[RenderableType]) -> str:
        """Render a subagent's events below a line with its name, which is repeated after other events."""
        heading = ""
        if parts and event.parent_tool_use_id != self._last_subagent:
            self._last_subagent = event.parent_tool_use_id
            if (parent := self.calls.parent(event)) is not None and self._tools is not Detail.NONE:
                heading = self._render_parts("tool", depth - 1, [self._call_line("▸", "cyan", parent, "", "dim")])
        return heading + self._render_parts(kind, depth, parts)

    def _render_parts(self, kind: str, depth: int, parts: list[RenderableType]) -> str:
        if not parts:
            return ""
        # A subagent's events are spaced like the parts of one long tool call.
        kind = "tool" if depth or kind == "note" else kind
        has_blank_line = self._last_kind is not None and (kind != self._last_kind or kind == "message")
        self._last_kind = kind
        gutter = [*self._prefix.render(self._console), *[Segment("│ ", Style(dim=True))] * min(depth, _MAX_INDENT)]
        clock = [Segment(self._time, Style(dim=True))] if self._has_timestamps else []
        no_clock = [Segment(" " * len(self._time))] if self._has_timestamps else []
        width = max(10, self._console.width - sum(segment.cell_length for segment in [*gutter, *clock]))
        options = self._console.options.update(width=width, max_width=width)
        lines: list[list[Segment]] = [[]] if has_blank_line else []
        for part in parts:
            lines += _strip_blank_ends(self._console.render_lines(part, options, pad=False))
        with self._console.capture() as captured:
            for line in lines:
                # The time is beside the first line that is not blank.
                start, clock = (clock, no_clock) if line else ([], clock)
                segments = [*start, *gutter, *map(harmless_segment, line), Segment("\n")]
                self._console.print(Segments(segments), end="")
        return captured.get()

    def _message(self, event: Event, depth: int) -> RenderableType:
        text = escape_control_chars(event.content or "").strip("\n")
        if event.note_kind == NoteKind.CHECK_OUTPUT:
            return Text(text, "dim") if self._tools is Detail.FULL else Group(*_first_lines(text))
        if event.role == "user":
            prompt = _prompt(text, is_subagents=depth > 0 and self._tools is not Detail.FULL)
            is_sent = event.note_kind == NoteKind.SENT
            return Group(prompt, Text("  sent while running", "dim")) if is_sent else prompt
        if event.is_error:
            return Text(text, "red")
        width = min(_MAX_PROSE_WIDTH, self._console.width)
        return _Narrow(SafeMarkdown(text), width)

    def _thinking_parts(self, event: Event) -> Iterator[RenderableType]:
        lines = escape_control_chars(event.content or "").strip().split("\n")
        if lines == [""] or self._thinking is Detail.NONE:
            return
        if self._thinking is Detail.BRIEF:
            more = " …" if len(lines) > 1 else ""
            yield Text(f"∴ {lines[0]}{more}", "dim italic", no_wrap=True, overflow="ellipsis")
        else:
            yield Text("∴ " + "\n  ".join(lines), "dim italic")

    def _result_parts(self, call: Event | None, result: Event, depth: int) -> Iterator[RenderableType]:
        if self._tools is Detail.NONE:
            return
        if call is None:
            yield Text.assemble(("✗ " if result.is_error else "✓ ", "dim"), (tool_calls.outcome(result), "dim"))
            return
        if result.note_kind == NoteKind.TASK_RECEIPT:
            yield self._call_line("▸", "cyan", call, "started in the background", "dim")
            return
        took = noticeable_duration(self.calls.duration_ms(call, result))
        if result.is_error:
            hint = tool_calls.outcome(result)
            denied = self.calls.denied_request(call)
            if denied is not None:
                hint = denial(denied, hint)
            yield self._call_line("✗", "red", call, hint, "red", took)
            if self._tools is Detail.BRIEF and denied is None:
                yield from _first_lines(tool_calls.error_output(result))
        elif call.tool_name in tool_calls.EDITS:
            diff = edit_diff.compute_diff(call, result)
            yield self._call_line("✓", "green", call, diff.counts, "dim", took)
            if self._tools is Detail.BRIEF:
                yield _small_diff(diff)
        else:
            shown = tool_result.text(result) if call.tool_name in SHELL_TOOLS and self._tools is Detail.BRIEF else ""
            outcome = "" if shown.strip() else tool_calls.outcome(result, call.tool_name)
            yield self._call_line("✓", "green", call, outcome, "dim", took)
            yield from _first_lines(shown)
        if self._tools is Detail.FULL:
            yield from _whole_call(call, result)

    def _task_end_parts(self, call: Event, end: Event) -> Iterator[RenderableType]:
        if self._tools is Detail.NONE:
            return
        took = format_duration(self.calls.duration_ms(call, end), tenths=True)
        sign, colour = ("✗", "red") if end.is_error else ("✓", "green")
        yield self._call_line(sign, colour, call, tool_calls.task_outcome(end), colour if end.is_error else "dim", took)

    def _call_line(
        self, sign: str, colour: str, call: Event, outcome: str, outcome_style: str, took: str = ""
    ) -> RenderableType:
        argument = tool_calls.argument(call, self._working_dir)
        return _OneLine(
            Text.assemble((f"{sign} ", colour), (tool_calls.name(call), "bold"), "  "),
            Text(argument),
            Text.assemble((outcome, outcome_style)),
            Text(took, "dim"),
        )


class _OneLine:
    """A line that truncates the argument before the outcome, but leaves the argument half of the room."""

    def __init__(self, head: Text, argument: Text, outcome: Text, took: Text) -> None:
        self._parts = head, argument, outcome, took

    def __rich_console__(self, console: Console, options: object) -> Iterator[Text]:
        head, argument, outcome, took = (part.copy() for part in self._parts)
        room = getattr(options, "max_width", console.width) - head.cell_len
        gap = Text("  ")
        end = Text(" · ", "dim").append_text(took) if outcome.plain and took.plain else took
        room -= end.cell_len + (gap.cell_len if outcome.plain or took.plain else 0)
        argument_width = max(room // 2, room - outcome.cell_len)
        argument.truncate(max(1, min(argument.cell_len, argument_width)), overflow="ellipsis")
        outcome.truncate(max(0, room - argument.cell_len), overflow="ellipsis")
        line = Text.assemble(head, argument, gap if outcome.plain or took.plain else "", outcome, end)
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line


class _Request:
    """A permission request, truncated only after it is answered."""

    def __init__(self, approval: Approval, elsewhere: bool) -> None:
        self._approval = approval
        self._elsewhere = elsewhere

    def __rich_console__(self, console: Console, options: object) -> Iterator[Text]:
        sign, style = _APPROVAL_SIGNS[ApprovalStatus(self._approval.status)]
        text = approval_line(self._approval, elsewhere=self._elsewhere)
        if self._approval.status == ApprovalStatus.PENDING:
            yield from wrap.rows([Line(f"{sign} {text}", style)], getattr(options, "max_width", console.width))
        else:
            yield Text.assemble((f"{sign} ", style), (text, "dim"), no_wrap=True, overflow="ellipsis")


class _Narrow:
    """Content with a maximum width."""

    def __init__(self, content: RenderableType, width: int) -> None:
        self._content = content
        self._width = width

    def __rich_console__(self, console: Console, options: object) -> Iterator[RenderableType]:
        from rich.constrain import Constrain

        yield Constrain(self._content, self._width)


def _prompt(text: str, *, is_subagents: bool) -> RenderableType:
    """Render a prompt in full; for a subagent only its first line, as the call's description says enough."""
    lines = text.split("\n")
    if is_subagents:
        more = " …" if len(lines) > 1 else ""
        return Text(f"❯ {lines[0]}{more}", "dim", no_wrap=True, overflow="ellipsis")
    return _WithBar(Text(text, "bold"))


class _WithBar:
    """Text with a bar at the left of each line, also of wrapped ones."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: object) -> Iterator[Segment]:
        width = min(_MAX_PROSE_WIDTH, getattr(options, "max_width", console.width)) - 2
        for line in console.render_lines(self._text, console.options.update(width=width), pad=False):
            yield Segment("▌ ", Style.parse("cyan"))
            yield from line
            yield Segment.line()


def _first_lines(output: str) -> Iterator[Text]:
    """Yield the first lines of a command's output, and how many follow."""
    lines = escape_control_chars(output).strip("\n").split("\n")
    if lines == [""]:
        return
    # One line more takes no more room than the number of the lines that are left out.
    count = _OUTPUT_LINES if len(lines) > _OUTPUT_LINES + 1 else len(lines)
    rows = [f"  {line.expandtabs()}" for line in lines[:count]]
    if len(lines) > count:
        rows.append(f"  … +{len(lines) - count} lines")
    yield Text("\n".join(rows), "dim", no_wrap=True, overflow="ellipsis")


def _small_diff(diff: edit_diff.Diff) -> Text:
    colours = {"+": "green", "-": "red", " ": "dim"}
    rows = []
    for line in diff.excerpt:
        number = "" if line.number is None else str(line.number)
        rows.append(Text.assemble((f"{number:>6} ", "dim"), (f"{line.sign} {line.text}", colours[line.sign])))
    if diff.hidden_count:
        rows.append(Text(f"{'':>6} … {diff.hidden_count} more", "dim"))
    text = Text("\n").join(rows)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _whole_call(call: Event, result: Event) -> Iterator[RenderableType]:
    for name, value in tool_calls.tool_input(call).items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        escaped = escape_control_chars(text).rstrip("\n")
        gap = "\n  " if "\n" in escaped else " "
        escaped = escaped.replace("\n", "\n  ")
        yield Padding(Text.assemble((f"{one_line(name)}:", "cyan"), f"{gap}{escaped}"), (0, 0, 0, 2))
    answer = escape_control_chars(tool_result.text(result)).strip("\n")
    if answer:
        yield Padding(_result_text(call, answer), (0, 0, 0, 2))


def _result_text(call: Event, answer: str) -> Text:
    """Return a result, with the diff in colours if it is an edit's."""
    text = Text(answer, "dim")
    if call.tool_name in tool_calls.EDITS:
        text.highlight_regex(r"(?m)^\+.*$", "not dim green")
        text.highlight_regex(r"(?m)^-.*$", "not dim red")
    return text


def _strip_blank_ends(lines: list[list[Segment]]) -> list[list[Segment]]:
    filled = [index for index, line in enumerate(lines) if "".join(segment.text for segment in line).strip()]
    return lines[filled[0] : filled[-1] + 1] if filled else []


def _one_line(text: str | None) -> str:
    return one_line(text or "")
