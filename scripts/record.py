"""Record docs/pictures/demo-*.svg: commands typed into a real terminal, with the real Claude Code.

Run `.venv/bin/python -m scripts.record` in the root of the checkout. The model's answers are in `scripts/record.txt`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from rich.text import Text

from scripts.svg_animation import Frame, render_animation
from tests.helpers import svg_screenshot
from tests.helpers.sandbox import Sandbox
from tests.helpers.svg_screenshot import Theme
from tests.helpers.terminal import Terminal

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"

COMMANDS = (
    'hldctl launch "Fix the failing test" --allowed-tools Read,Edit,Bash',
    "hldctl ls",
    "hldctl tail -f last",
    'hldctl continue last "And now document it." --wait',
    "hldctl ls --tree",
)

_COLUMNS, _LINES = 80, 24
_PROMPT = "$ "
# Seconds between two keys, before a command is entered, and to read its output.
_KEYSTROKE, _BEFORE_ENTER, _READING = 0.035, 0.3, 1.1
_SHORTEST_FRAME = 0.1
_TIMEOUT = 60.0

_PROJECT = {
    "parser.py": 'def parse(text):\n    return text.split(",")\n',
    "test_parser.py": "from parser import parse\n\nassert parse('a;b') == ['a', 'b'], 'semicolons'\nprint('ok')\n",
}


def main() -> int:
    frames = record()
    for theme in Theme:
        (PICTURES / f"demo-{theme.suffix}.svg").write_text(
            render_animation(frames, _COLUMNS, _LINES, theme), encoding="utf-8"
        )
    print(f"{len(frames)} frames, {frames[-1][0]:.1f} s")
    return 0


def record() -> list[Frame]:
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(Path(directory) / "recording")
        try:
            return _record_in(sandbox)
        finally:
            sandbox.close()


def _record_in(sandbox: Sandbox) -> list[Frame]:
    project = sandbox.home / "project"
    project.mkdir()
    for name, text in _PROJECT.items():
        (project / name).write_text(text)
    sandbox.serve_script(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))
    # A fixed prompt, and no settings of a user.
    sandbox.environment["PS1"] = _PROMPT
    shell = ("bash", "--norc", "--noprofile", "-i")
    with Terminal(sandbox, program=shell, columns=_COLUMNS, lines=_LINES) as terminal:
        terminal.wait_for_screen(_PROMPT.strip())
        terminal.enter(f"cd {project}; clear\r")
        recording = _Recording(terminal)
        recording.until_prompt()
        recording.begin()
        for command in COMMANDS:
            recording.type(command)
        return recording.frames


class _Recording:
    """The frames that a terminal shows, with their times."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.begin()

    def begin(self) -> None:
        self._started = time.monotonic()
        self.frames: list[Frame] = []

    def type(self, command: str) -> None:
        """Type the command; return when it has ended and there was time to read its output."""
        for key in command:
            self._terminal.enter(key)
            self.watch(_KEYSTROKE)
        self.watch(_BEFORE_ENTER)
        self._terminal.enter("\r")
        self.until_prompt()
        self.watch(_READING)

    def until_prompt(self) -> None:
        deadline = time.monotonic() + _TIMEOUT
        self.watch(_BEFORE_ENTER)
        while [line for line in self._terminal.screen() if line][-1:] != [_PROMPT.strip()]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the command does not end: {self._terminal.screen()}")
            self.watch(_KEYSTROKE)

    def watch(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            self._terminal.screen()
            self._take_frame()
            if time.monotonic() >= until:
                return
            time.sleep(0.01)

    def _take_frame(self) -> None:
        now = time.monotonic() - self._started
        screen = _screen_with_cursor(self._terminal)
        if self.frames and self.frames[-1][1] == screen:
            return
        if self.frames and now - self.frames[-1][0] < _SHORTEST_FRAME:
            # The last frame is too short to be seen: replace it.
            now = self.frames.pop()[0]
        self.frames.append((now, screen))


def _screen_with_cursor(terminal: Terminal) -> list[Text]:
    display = terminal.display
    lines = svg_screenshot.screen_lines(display)
    if not display.cursor.hidden and display.cursor.y <= len(lines):
        lines += [Text() for _ in range(display.cursor.y + 1 - len(lines))]
        line = lines[display.cursor.y]
        line.pad_right(max(0, display.cursor.x + 1 - len(line.plain)))
        line.stylize("reverse", display.cursor.x, display.cursor.x + 1)
    return lines


if __name__ == "__main__":
    sys.exit(main())
