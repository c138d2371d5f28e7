from __future__ import annotations

import pytest

from hldctl.sessions.summary import summarize

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ACCENTED = "e\u0301"


@pytest.mark.parametrize(
    ("query", "summary"),
    [
        ("short", "short"),
        ("  a\tb\r\n\n c  ", "a b c"),
        ("x" * 50, "x" * 50),
        ("x" * 51, "x" * 47 + "..."),
        ("世" * 50, "世" * 50),
        ("世" * 51, "世" * 47 + "..."),
        (FAMILY * 50, FAMILY * 50),
        (FAMILY * 51, FAMILY * 47 + "..."),
        (ACCENTED * 50, ACCENTED * 50),
        (ACCENTED * 60, ACCENTED * 47 + "..."),
        ("word " * 20, ("word " * 20)[:47] + "..."),
    ],
)
def test_title_is_one_line_of_at_most_fifty_characters(query: str, summary: str) -> None:
    assert summarize(query) == summary
