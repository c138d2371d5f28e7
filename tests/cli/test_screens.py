"""What a person sees of sessions of all kinds; `snapshots/README.md` says how to renew what is expected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.sample_sessions import KINDS, Gallery, compare, fix_times, gallery
from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

WIDTHS = (80, 140)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, genuine_claude: Path) -> Iterator[Gallery]:
    sandbox = Sandbox(tmp_path_factory.mktemp("gallery") / "sandbox")
    try:
        yield gallery(sandbox)
    finally:
        sandbox.close()


@pytest.mark.parametrize("columns", [40, 60, *WIDTHS])
def test_ls_matches_snapshot(shown: Gallery, columns: int) -> None:
    screen = shown.screen("ls", columns=columns, lines=24)
    compare(f"ls-{columns}", screen)


def test_ls_in_a_pipe_truncates_nothing(shown: Gallery) -> None:
    fix_times(shown)
    compare("ls-pipe", shown.named(shown.sandbox.ok("ls", environment={"COLUMNS": "40"})))


@pytest.mark.parametrize("columns", [40, *WIDTHS])
def test_top_matches_snapshot(shown: Gallery, columns: int) -> None:
    fix_times(shown)
    with Terminal(shown.sandbox, "top", columns=columns, lines=12) as terminal:
        screen = "\n".join(terminal.becomes("q quit"))
        terminal.enter("q")
        assert terminal.ended()[0] == 0
    compare(f"top-{columns}", shown.named(_without_figures(screen)))


def _without_figures(screen: str) -> str:
    """What is used of the machine, and the time of day, are others each time."""
    screen = re.sub(r"\d+% CPU, [\d.]+MB   \d\d:\d\d:\d\d", "0% CPU, 0MB   00:00:00", screen)
    in_their_column = re.compile(r"( +\d+%)( +[\d.]+M)")
    return in_their_column.sub(lambda use: "0%".rjust(len(use[1])) + "0M".rjust(len(use[2])), screen)


@pytest.mark.parametrize("kind", KINDS)
def test_show_matches_snapshot(shown: Gallery, kind: str) -> None:
    for columns in WIDTHS:
        compare(f"show-{kind}-{columns}", shown.screen("show", shown.ids[kind], columns=columns, lines=40))


def test_text_from_a_session_is_escaped_at_terminal(shown: Gallery) -> None:
    for arguments in (["ls"], ["show", shown.ids["denied"]]):
        with Terminal(shown.sandbox, *arguments, columns=140) as terminal:
            written = terminal.ended()[1]
        assert "\x1b[1" in written
        assert "Evil \\x1b[2J\\x1b[31mred\\x07 \\u202etitle" in written
        assert not [evil for evil in ("\x1b[2J", "\x1b[31mred", "\x1b[31mnot", "\x07", "\u202e") if evil in written]


def test_no_color_disables_colors(shown: Gallery) -> None:
    shown.sandbox.environment["NO_COLOR"] = "1"
    for arguments in (["ls"], ["show", "last"]):
        with Terminal(shown.sandbox, *arguments) as terminal:
            assert not re.search(r"\x1b\[[\d;]*[34]\d", terminal.ended()[1])
    del shown.sandbox.environment["NO_COLOR"]


def test_show_events_uses_the_pager(shown: Gallery) -> None:
    environment = shown.sandbox.environment
    for pager, expected in (("sed s/^/read:/", "read:user: Mend the parser"), ("cat", "\nuser: Mend")):
        environment["PAGER"] = pager
        with Terminal(shown.sandbox, "show", shown.ids["completed"], "--events") as terminal:
            assert expected in "\n" + terminal.ended()[1]
    environment["PAGER"] = "head -1"
    with Terminal(shown.sandbox, "show", shown.ids["completed"], "--events") as terminal:
        assert terminal.ended() == (0, "user: Mend the parser\n")
    environment["PAGER"] = "no-such-pager"
    with Terminal(shown.sandbox, "show", shown.ids["completed"], "--events") as terminal:
        code, said = terminal.ended()
        assert (code, "Cannot run the pager 'no-such-pager'" in said, "Traceback" in said) == (5, True, False)
    del environment["PAGER"]
