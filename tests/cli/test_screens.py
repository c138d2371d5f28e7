"""Screens with sessions of all kinds; `snapshots/README.md` explains how to renew the snapshots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.sample_sessions import KINDS, Gallery, compare_with_snapshot, fix_times, launch_gallery
from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

WIDTHS = (80, 140)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, genuine_claude: Path) -> Iterator[Gallery]:
    sandbox = Sandbox(tmp_path_factory.mktemp("gallery") / "sandbox")
    try:
        yield launch_gallery(sandbox)
    finally:
        sandbox.close()


@pytest.mark.parametrize("columns", [40, 60, *WIDTHS])
def test_ls_matches_snapshot(gallery: Gallery, columns: int) -> None:
    screen = gallery.screen("ls", columns=columns, lines=24)
    compare_with_snapshot(f"ls-{columns}", screen)


def test_ls_in_a_pipe_truncates_nothing(gallery: Gallery) -> None:
    fix_times(gallery)
    compare_with_snapshot("ls-pipe", gallery.replace_ids(gallery.sandbox.ok("ls", environment={"COLUMNS": "40"})))


@pytest.mark.parametrize("columns", [40, *WIDTHS])
def test_top_matches_snapshot(gallery: Gallery, columns: int) -> None:
    fix_times(gallery)
    with Terminal(gallery.sandbox, "top", columns=columns, lines=12) as terminal:
        screen = "\n".join(terminal.wait_for_screen("q quit"))
        terminal.enter("q")
        assert terminal.wait_for_exit()[0] == 0
    compare_with_snapshot(f"top-{columns}", gallery.replace_ids(_without_figures(screen)))


def _without_figures(screen: str) -> str:
    """Replace CPU and memory use and the time of day, which differ in each run."""
    screen = re.sub(r"\d+% CPU, [\d.]+MB   \d\d:\d\d:\d\d", "0% CPU, 0MB   00:00:00", screen)
    usage_columns = re.compile(r"( +\d+%)( +[\d.]+M)")
    return usage_columns.sub(lambda use: "0%".rjust(len(use[1])) + "0M".rjust(len(use[2])), screen)


@pytest.mark.parametrize("kind", KINDS)
def test_show_matches_snapshot(gallery: Gallery, kind: str) -> None:
    for columns in WIDTHS:
        compare_with_snapshot(
            f"show-{kind}-{columns}", gallery.screen("show", gallery.ids[kind], columns=columns, lines=40)
        )


def test_text_from_a_session_is_escaped_at_terminal(gallery: Gallery) -> None:
    for arguments in (["ls"], ["show", gallery.ids["denied"]]):
        with Terminal(gallery.sandbox, *arguments, columns=140) as terminal:
            output = terminal.wait_for_exit()[1]
        assert "\x1b[1" in output
        assert "Evil \\x1b[2J\\x1b[31mred\\x07 \\u202etitle" in output
        assert not [
            sequence for sequence in ("\x1b[2J", "\x1b[31mred", "\x1b[31mnot", "\x07", "\u202e") if sequence in output
        ]


def test_no_color_disables_colors(gallery: Gallery) -> None:
    gallery.sandbox.environment["NO_COLOR"] = "1"
    for arguments in (["ls"], ["show", "last"]):
        with Terminal(gallery.sandbox, *arguments) as terminal:
            assert not re.search(r"\x1b\[[\d;]*[34]\d", terminal.wait_for_exit()[1])
    del gallery.sandbox.environment["NO_COLOR"]


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_show_events_uses_the_pager(gallery: Gallery) -> None:
    environment = gallery.sandbox.environment
    for pager, expected in (("sed s/^/read:/", "read:▌ Fix the parser"), ("cat", "\n▌ Fix")):
        environment["PAGER"] = pager
        with Terminal(gallery.sandbox, "show", gallery.ids["completed"], "--events") as terminal:
            assert expected in "\n" + _without_colours(terminal.wait_for_exit()[1])
    environment["PAGER"] = "head -1"
    with Terminal(gallery.sandbox, "show", gallery.ids["completed"], "--events") as terminal:
        code, output = terminal.wait_for_exit()
        assert (code, _without_colours(output)) == (0, "▌ Fix the parser\n")
    environment["PAGER"] = "no-such-pager"
    with Terminal(gallery.sandbox, "show", gallery.ids["completed"], "--events") as terminal:
        code, output = terminal.wait_for_exit()
        assert (code, "Cannot run the pager 'no-such-pager'" in output, "Traceback" in output) == (5, True, False)
    del environment["PAGER"]
