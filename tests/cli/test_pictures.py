"""The pictures in the documentation match what a terminal shows; docs/pictures/README.md explains how to renew them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest

from tests.helpers import svg_screenshot
from tests.helpers.doc_blocks import ROOT
from tests.helpers.fake_claude_conversation import ALL
from tests.helpers.sample_sessions import CLAUDE, LAUNCHES, Gallery, compare_with_file, fix_times, launch_gallery
from tests.helpers.sandbox import Sandbox
from tests.helpers.svg_screenshot import Theme
from tests.helpers.terminal import Terminal

PICTURES = ROOT / "docs" / "pictures"
WIDTHS = pytest.mark.parametrize("columns", [80, 140])
MAX_BYTES = 60_000

_TITLES = {
    "completed": "Parser: take semicolons, too",
    "failed": "Summarize the open tickets",
    "denied": "Tidy up the build scripts",
    "tool": "Keep the tests green",
    "waiting": "Release 2.4",
    "thinking": "Why is the import so slow?",
    "restarting": "Translate the manual",
    "queued": "Update the dependencies",
}
_WITHOUT_ESCAPES = CLAUDE.replace(r"\x1b[31mnot\x1b[0m", "not")
# 2026-09-24 00:00 UTC.
_MIDNIGHT_MS = 1_790_208_000_000
_DAY_MS = 86_400_000
_MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, genuine_claude: Path) -> Iterator[Gallery]:
    sandbox = Sandbox(tmp_path_factory.mktemp("pictures") / "sandbox")
    launches = {kind: (*arguments, "--title", _TITLES[kind]) for kind, arguments in LAUNCHES.items()}
    try:
        yield launch_gallery(sandbox, launches, _WITHOUT_ESCAPES)
    finally:
        sandbox.close()


@WIDTHS
def test_ls_matches_picture(gallery: Gallery, columns: int) -> None:
    compare(gallery, "ls", screen(gallery, "ls", columns=columns))


@WIDTHS
def test_ls_watch_matches_picture(gallery: Gallery, columns: int) -> None:
    fix_times(gallery)
    with Terminal(gallery.sandbox, "ls", "--watch", columns=columns) as terminal:
        terminal.wait_for_screen(_TITLES["completed"][:10])
        compare(gallery, "ls-watch", terminal.display)


@WIDTHS
def test_show_matches_picture(gallery: Gallery, columns: int) -> None:
    compare(gallery, "show", screen(gallery, "show", gallery.ids["tool"], columns=columns))


@WIDTHS
def test_approvals_match_picture(gallery: Gallery, columns: int) -> None:
    compare(gallery, "approvals", screen(gallery, "approvals", columns=columns))


@WIDTHS
def test_launch_help_matches_picture(gallery: Gallery, columns: int) -> None:
    compare(gallery, "launch-help", screen(gallery, "launch", "--help", columns=columns), title="hldctl launch --help")


@WIDTHS
def test_stats_match_picture(gallery: Gallery, columns: int) -> None:
    fix_times(gallery)
    set_spending(gallery)
    with Terminal(gallery.sandbox, "stats", columns=columns, environment={"TZ": "UTC"}) as terminal:
        assert terminal.wait_for_exit()[0] == 0
        compare(gallery, "stats", terminal.display)


@WIDTHS
def test_tail_matches_picture(sandbox: Sandbox, columns: int) -> None:
    sandbox.fake_claude(ALL)
    session_id = sandbox.launch("Make uploads more robust.\nThey fail at the first timeout.")
    sandbox.wait_for_end(session_id)
    sandbox.sql("UPDATE sessions SET completed_at = started_at + 65000")
    with Terminal(sandbox, "tail", "-f", session_id, columns=columns, lines=70) as terminal:
        assert terminal.wait_for_exit()[0] == 0
        compare(Gallery(sandbox), "tail", terminal.display, title="hldctl tail -f last")


def test_picture_directory_has_no_other_files() -> None:
    names = {"ls", "ls-watch", "show", "approvals", "launch-help", "stats", "tail"}
    expected = {f"{name}-{columns}-{theme.suffix}.svg" for name in names for columns in (80, 140) for theme in Theme}
    recorded = {f"demo-{theme.suffix}.svg" for theme in Theme}
    assert {file.name for file in PICTURES.glob("*.svg")} == expected | recorded


@pytest.mark.parametrize("theme", Theme, ids=lambda theme: theme.suffix)
def test_colors_have_enough_contrast(theme: Theme) -> None:
    """The minimum is that of https://www.w3.org/TR/WCAG21/#contrast-minimum."""
    background = luminance(theme.value.background_color)
    colors = [theme.value.foreground_color, *(theme.value.ansi_colors[number] for number in range(16))]
    for color in colors:
        darker, lighter = sorted((luminance(color), background))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, color


def luminance(color: tuple[int, int, int]) -> float:
    shares = (value / 255 for value in color)
    red, green, blue = (share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def screen(gallery: Gallery, *arguments: str, columns: int) -> pyte.Screen:
    fix_times(gallery)
    with Terminal(gallery.sandbox, *arguments, columns=columns, lines=160) as terminal:
        assert terminal.wait_for_exit()[0] == 0
        return terminal.display


def set_spending(gallery: Gallery) -> None:
    """Give each session its own day, cost and duration."""
    for day, session_id in enumerate(gallery.ids.values()):
        values = (_MIDNIGHT_MS + day * _DAY_MS, 0.4 + (day * 7 % 5) * 0.55, (3 + day * 5 % 7) * 4 * _MINUTE_MS)
        gallery.sandbox.sql(
            "UPDATE sessions SET created_at = ?1, started_at = ?1, cost_usd = ?2, duration_ms = ?3,"
            " completed_at = iif(completed_at IS NULL, NULL, ?1 + ?3) WHERE id = ?4",
            *values,
            session_id,
        )


def compare(gallery: Gallery, name: str, display: pyte.Screen, title: str = "") -> None:
    """Compare with the light and the dark picture of this name and width. HLDCTL_RENEW_PICTURES=1 writes them."""
    for theme in Theme:
        lines = svg_screenshot.screen_lines(display)
        image = svg_screenshot.render_svg(lines, display.columns, theme, title or f"hldctl {name.replace('-', ' --')}")
        file = PICTURES / f"{name}-{display.columns}-{theme.suffix}.svg"
        manual = PICTURES / "README.md"
        compare_with_file(
            file, gallery.replace_ids(image, fake_hash), renew_variable="HLDCTL_RENEW_PICTURES", manual=manual
        )
        assert file.stat().st_size < MAX_BYTES


def fake_hash(number: int) -> str:
    """Return the nth fixed start of an ID."""
    return f"{number * 0x3D4E8F3B % 2**32:08x}"
