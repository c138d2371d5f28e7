"""SVG animated only by CSS, which also plays where scripts are not allowed."""

from __future__ import annotations

import re

from rich.text import Text

from tests.helpers import svg_screenshot
from tests.helpers.svg_screenshot import Theme

Frame = tuple[float, list[Text]]
"""The time in seconds since the beginning, and the lines of the screen from then on."""

_LINE_HEIGHT = 24.4
# Distance of rich's texts and backgrounds from the top of a line.
_TEXT_BELOW, _BACKGROUND_BELOW = 20, 1.5

_ELEMENT = re.compile(r'<(text|rect) [^>]*?\by="([\d.]+)"[^>]*?(?:/>|>[^<]*</text>)')


def render_animation(frames: list[Frame], columns: int, lines: int, theme: Theme) -> str:
    """Return the animation: each distinct line is drawn once, frames refer to lines, and frames move past a window.

    Programs that do not support animations, and people who have turned them off, see the last frame.
    """
    # One line more, since backgrounds reach a little below their lines.
    height = (lines + 1) * _LINE_HEIGHT
    distinct = _Lines()
    pages = "".join(_page(number * height, screen, distinct) for number, (_, screen) in enumerate(frames))
    styles, groups = distinct.render(columns, theme)
    parts = {"@rules@": f"{styles}\n{_rules(frames, height)}", "@lines@": groups, "@pages@": pages}
    window = svg_screenshot.render_svg([Text()] * lines, columns, theme, "hldctl", form=_FORM)
    return re.sub("@[a-z]+@", lambda match: parts[match[0]], window)


# rich fills in the window, this module the animation.
_FORM = f"""\
<svg viewBox="0 0 {{width}} {{height}}" width="{{width}}" xmlns="http://www.w3.org/2000/svg">
<style>
{svg_screenshot.STYLE_SHEET.replace("{", "{{").replace("}", "}}")}
@rules@
</style>
<defs>
@lines@
</defs>
<g class="chrome">{{chrome}}</g>
<svg x="{{terminal_x}}" y="{{terminal_y}}" width="{{terminal_width}}" height="{{terminal_height}}">
<g class="film">
@pages@</g>
</svg>
</svg>
"""


class _Lines:
    """The distinct lines of a recording, with their numbers."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}
        self._lines: list[Text] = []

    def number(self, line: Text) -> int:
        key = (line.plain, *line.spans)
        if key not in self._numbers:
            self._numbers[key] = len(self._lines)
            self._lines.append(line)
        return self._numbers[key]

    def render(self, columns: int, theme: Theme) -> tuple[str, str]:
        """Return the style sheet, and a group for each line at the top of the picture, with the id `l` + number."""
        form = "{styles}\n</style>\n{backgrounds}\n{matrix}\n"
        styles, _, elements = svg_screenshot.render_svg(self._lines, columns, theme, form=form).partition("</style>")
        groups = [""] * len(self._lines)
        for element in _ELEMENT.finditer(elements):
            below = _TEXT_BELOW if element[1] == "text" else _BACKGROUND_BELOW
            groups[round((float(element[2]) - below) / _LINE_HEIGHT)] += element[0]
        shifted = (
            f'<g id="l{number}" transform="translate(0 {-number * _LINE_HEIGHT:g})">{group}</g>'
            for number, group in enumerate(groups)
        )
        return styles.strip(), "\n".join(shifted)


def _page(top: float, lines: list[Text], distinct: _Lines) -> str:
    lines_in_use = (
        f'<use href="#l{distinct.number(line)}" y="{row * _LINE_HEIGHT:g}"/>'
        for row, line in enumerate(lines)
        if line.plain
    )
    return f'<g transform="translate(0 {top:g})">{"".join(lines_in_use)}</g>\n'


def _rules(frames: list[Frame], height: float) -> str:
    began, total = frames[0][0], frames[-1][0] - frames[0][0]
    steps = "".join(
        f"{100 * (at - began) / total:.2f}% {{ transform: translateY({-number * height:g}px) }}\n"
        for number, (at, _) in enumerate(frames)
    )
    last = f"translateY({-(len(frames) - 1) * height:g}px)"
    return (
        f"@keyframes film {{\n{steps}}}\n"
        f".film {{ transform: {last}; animation: film {total:.1f}s step-end forwards }}\n"
        "@media (prefers-reduced-motion: reduce) { .film { animation: none } }"
    )
