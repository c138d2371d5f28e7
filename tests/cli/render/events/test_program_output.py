"""Output of programs as plain text."""

from __future__ import annotations

import pytest

from hldctl.cli.render.events.program_output import plain_output


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("\x1b[31mred\x1b[0m and \x1b[1;38;5;200mbold\x1b[m", "red and bold"),
        ("\x1b[2K\x1b[1Gline\x1b[K", "line"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b(Btext\x1b=", "text"),
        ("10%\r50%\r100%\n", "100%\n"),
        ("downloading\rdone", "doneloading"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("plain\ttext", "plain\ttext"),
    ],
)
def test_text_is_what_a_terminal_shows(written: str, plain: str) -> None:
    assert plain_output(written) == plain


def test_many_carriage_returns_take_linear_time() -> None:
    assert plain_output("x" * 1_000_000 + "\ry" * 1_000_000) == "y" + "x" * 999_999


def test_unfinished_sequence_is_kept() -> None:
    assert plain_output("\x1b[31") == "\x1b[31"
