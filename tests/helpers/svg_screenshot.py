"""A terminal's screen as an SVG picture in the system's monospaced font, with a light and a dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from enum import Enum
from itertools import groupby

import pyte
from pyte.screens import Char
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ASPECT = 0.6
"""The width of a character divided by its height, as in most monospaced fonts."""

_FONT = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace'

STYLE_SHEET = f"""\
text {{ font-family: {_FONT}; font-size: 20px; white-space: pre }}
.chrome rect {{ stroke: #8c959f80 }}"""
"""The style sheet of each picture. The font size is the one that rich assumes."""

_FORMAT = f"""\
<svg viewBox="0 0 {{width}} {{height}}" width="{{width}}" xmlns="http://www.w3.org/2000/svg">
<style>
{STYLE_SHEET.replace("{", "{{").replace("}", "}}")}
{{styles}}
</style>
<g class="chrome">{{chrome}}</g>
<g transform="translate({{terminal_x}} {{terminal_y}})">{{backgrounds}}
{{matrix}}</g>
</svg>
"""

# rich clips each line at its end, which no text here exceeds, and draws its newline.
_REDUNDANT = re.compile(r' clip-path="[^"]*"|<text [^>]*>\n</text>')

# Not drawn: viewers treat spaces at the ends of a text differently.
_GAPS = re.compile("(^ +|  +| +$)")


class Theme(Enum):
    """Colors with a contrast of at least 4.5 to their background, except dim ones."""

    DARK = TerminalTheme(
        (0x0D, 0x11, 0x17),
        (0xE6, 0xED, 0xF3),
        [
            *((0x7D, 0x85, 0x90), (0xFF, 0x7B, 0x72), (0x3F, 0xB9, 0x50), (0xD2, 0x99, 0x22)),
            *((0x58, 0xA6, 0xFF), (0xBC, 0x8C, 0xFF), (0x39, 0xC5, 0xCF), (0xB1, 0xBA, 0xC4)),
        ],
        [
            *((0x8B, 0x94, 0x9E), (0xFF, 0xA1, 0x98), (0x56, 0xD3, 0x64), (0xE3, 0xB3, 0x41)),
            *((0x79, 0xC0, 0xFF), (0xD2, 0xA8, 0xFF), (0x56, 0xD4, 0xDD), (0xFF, 0xFF, 0xFF)),
        ],
    )
    LIGHT = TerminalTheme(
        (0xFF, 0xFF, 0xFF),
        (0x24, 0x29, 0x2F),
        [
            *((0x24, 0x29, 0x2F), (0xCF, 0x22, 0x2E), (0x11, 0x63, 0x29), (0x7D, 0x4E, 0x00)),
            *((0x05, 0x50, 0xAE), (0x82, 0x50, 0xDF), (0x1B, 0x7C, 0x83), (0x57, 0x60, 0x6A)),
        ],
        [
            *((0x57, 0x60, 0x6A), (0xA4, 0x0E, 0x26), (0x1A, 0x7F, 0x37), (0x63, 0x3C, 0x01)),
            *((0x09, 0x69, 0xDA), (0x82, 0x50, 0xDF), (0x1B, 0x7C, 0x83), (0x57, 0x60, 0x6A)),
        ],
    )

    @property
    def suffix(self) -> str:
        return self.name.lower()


def render_svg(lines: Iterable[Text], columns: int, theme: Theme, title: str = "", form: str = _FORMAT) -> str:
    """Return the lines as SVG. `form` is the `code_format` of `Console.export_svg`."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        # Text after a wide character would be drawn too far to the left.
        assert cell_len(line.plain) == len(line.plain), f"{line.plain!r} has wide characters"
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    image = console.export_svg(
        title=title, theme=theme.value, code_format=form, font_aspect_ratio=ASPECT, unique_id="t"
    )
    return re.sub(" +$", "", _REDUNDANT.sub("", image), flags=re.MULTILINE)


def screen_lines(screen: pyte.Screen) -> list[Text]:
    """Return the lines of a terminal with their colors, without the empty lines at its end."""
    rows = [_line(screen, number) for number in range(screen.lines)]
    while rows and not rows[-1].plain:
        rows.pop()
    return rows


def _line(screen: pyte.Screen, number: int) -> Text:
    cells = [screen.buffer[number][column] for column in range(screen.columns)]
    text = Text()
    for style, run in groupby(cells, _style):
        for part in _GAPS.split("".join(cell.data for cell in run)):
            text.append(part, style)
    text.rstrip()
    return text


def _style(cell: Char) -> Style:
    return Style(
        color=_color(cell.fg),
        bgcolor=_color(cell.bg),
        bold=cell.bold,
        # tests.helpers.terminal.Display stores dim text as blinking text.
        dim=cell.blink,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=cell.reverse,
        strike=cell.strikethrough,
    )


def _color(name: str) -> str | None:
    """Return rich's name of one of pyte's colors, or None for the default color."""
    if name == "default":
        return None
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return name.replace("brown", "yellow").replace("bright", "bright_")
