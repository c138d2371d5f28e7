"""Markdown from a model, rendered so that nothing in it can control the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.markdown import CodeBlock, Heading, HorizontalRule, Markdown, TableElement
from rich.padding import Padding
from rich.rule import Rule
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table
from rich.theme import Theme

from hldctl.cli.output import escape_control_chars

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

# Uses the terminal's own colours and background.
_CODE_THEME = "ansi_light"
THEME = Theme(
    {
        "markdown.code": "cyan",
        "markdown.h1": "bold underline",
        **dict.fromkeys(("markdown.h2", "markdown.h3", "markdown.h4", "markdown.h5", "markdown.h6"), "bold"),
        "markdown.item.number": "cyan",
        "markdown.item.bullet": "cyan",
        "markdown.link": "underline",
        "markdown.link_url": "dim underline",
        "markdown.block_quote": "italic",
        "markdown.table.header": "bold",
        "markdown.table.border": "dim",
    }
)


class _LeftHeading(Heading):
    LEVEL_ALIGN: ClassVar = dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "left")


class _Code(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip("\n")
        yield Padding(Syntax(code, self.lexer_name, theme=self.theme, word_wrap=True), (0, 0, 0, 2))


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                table.show_edge = False
            yield table


class _Rule(HorizontalRule):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(style="dim")


_CHECKBOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


def _replace_checkboxes(tokens: Sequence[Token]) -> None:
    """Replace the boxes of task lists, which the parser takes for text."""
    for item, _, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type == "list_item_open" and inline.type == "inline" and inline.children:
            first = inline.children[0]
            if (box := _CHECKBOXES.get(first.content[:4])) is not None:
                first.content = box + first.content[4:]


class SafeMarkdown(Markdown):
    """Markdown whose links show their target, and in which HTML is plain text.

    The text may still contain control characters, which Markdown can also spell as entities (`&#27;`): escape the
    rendered segments with `harmless_segment`, not only the input.
    """

    elements: ClassVar = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
        "fence": _Code,
        "code_block": _Code,
        "table_open": _Table,
        "hr": _Rule,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme=_CODE_THEME, hyperlinks=False)
        self.markup = text
        # rich drops everything that its parser takes for HTML.
        self.parsed = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).parse(text)
        _replace_checkboxes(self.parsed)


def harmless_segment(segment: Segment) -> Segment:
    """Escape control characters in a rendered segment: entities become control characters while rendering."""
    return Segment(escape_control_chars(segment.text), segment.style)


def render_markdown(text: str, console: Console, width: int) -> list[list[Segment]]:
    """Return rendered lines that are safe to print to a terminal."""
    with console.use_theme(THEME):
        lines = console.render_lines(
            SafeMarkdown(escape_control_chars(text)), console.options.update(width=width), pad=False
        )
    return [list(map(harmless_segment, line)) for line in lines]
