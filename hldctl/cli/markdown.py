"""What a model writes, which is Markdown, as lines on a terminal."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.syntax import Syntax
from rich.theme import Theme

from hldctl.cli.output import harmless

_THEME = Theme({"markdown.code": "cyan", "markdown.h1": "bold underline", "markdown.h2": "bold", "markdown.h3": "bold"})
"""No backgrounds: what rich has can be read on dark terminals only."""


class _Heading(Heading):
    """To the left, where rich would put the first one in the middle."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text


class _Code(CodeBlock):
    """Indented, where rich would put it on a background of its own with blank lines around."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        yield Syntax(
            code, self.lexer_name, theme=self.theme, word_wrap=True, padding=(0, 2), background_color="default"
        )


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
    }


def drawn(text: str, console: Console, width: int) -> list[list[Segment]]:
    # No hyperlinks: their text may say one address and lead to another.
    document = _Markdown(harmless(text), code_theme="ansi_dark", hyperlinks=False)
    with console.use_theme(_THEME):
        return console.render_lines(document, console.options.update(width=width), pad=False)
