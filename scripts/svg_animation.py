"""A picture that moves: SVG animated by CSS alone, which plays where no script may run."""

from __future__ import annotations

import re

from rich.text import Text

from tests.helpers import svg_screenshot
from tests.helpers.svg_screenshot import Theme

Frame = tuple[float, list[Text]]
"""When it came, in seconds since the beginning, and what stood on the screen then."""

_LINE_HEIGHT = 24.4
# Where rich puts what it draws, counted from the top of a line.
_TEXT_BELOW, _BACKGROUND_BELOW = 20, 1.5

_DRAWN = re.compile(r'<(text|rect) [^>]*?\by="([\d.]+)"[^>]*?(?:/>|>[^<]*</text>)')


def render_animation(frames: list[Frame], columns: int, lines: int, theme: Theme) -> str:
    """Each distinct line is drawn once; a frame is a list of lines, and the frames pass by a window.

    Programs that know nothing of animations, and people who want none, see the last frame.
    """
    # One more: backgrounds reach a little below their lines.
    height = (lines + 1) * _LINE_HEIGHT
    distinct = _Lines()
    pages = "".join(_page(number * height, shown, distinct) for number, (_, shown) in enumerate(frames))
    styles, drawn = distinct.drawn(columns, theme)
    film = {"@rules@": f"{styles}\n{_rules(frames, height)}", "@lines@": drawn, "@pages@": pages}
    window = svg_screenshot.svg([Text()] * lines, columns, theme, "hldctl", form=_FORM)
    return re.sub("@[a-z]+@", lambda found: film[found[0]], window)


# The window is put in by rich, the film here.
_FORM = f"""\
<svg viewBox="0 0 {{width}} {{height}}" width="{{width}}" xmlns="http://www.w3.org/2000/svg">
<style>
{svg_screenshot.RULES.replace("{", "{{").replace("}", "}}")}
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
    """The distinct lines of a recording, by their numbers."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}
        self._lines: list[Text] = []

    def number(self, line: Text) -> int:
        key = (line.plain, *line.spans)
        if key not in self._numbers:
            self._numbers[key] = len(self._lines)
            self._lines.append(line)
        return self._numbers[key]

    def drawn(self, columns: int, theme: Theme) -> tuple[str, str]:
        """The style sheet, and each line as a group with the id `l` and its number, at the top of the picture."""
        form = "{styles}\n</style>\n{backgrounds}\n{matrix}\n"
        styles, _, elements = svg_screenshot.svg(self._lines, columns, theme, form=form).partition("</style>")
        groups = [""] * len(self._lines)
        for element in _DRAWN.finditer(elements):
            below = _TEXT_BELOW if element[1] == "text" else _BACKGROUND_BELOW
            groups[round((float(element[2]) - below) / _LINE_HEIGHT)] += element[0]
        shifted = (
            f'<g id="l{number}" transform="translate(0 {-number * _LINE_HEIGHT:g})">{group}</g>'
            for number, group in enumerate(groups)
        )
        return styles.strip(), "\n".join(shifted)


def _page(top: float, lines: list[Text], distinct: _Lines) -> str:
    used = (
        f'<use href="#l{distinct.number(line)}" y="{row * _LINE_HEIGHT:g}"/>'
        for row, line in enumerate(lines)
        if line.plain
    )
    return f'<g transform="translate(0 {top:g})">{"".join(used)}</g>\n'


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
