from __future__ import annotations

import io

import pytest
from rich.console import Console

from hldctl.cli.render.markdown import render_markdown


@pytest.mark.parametrize(
    "markdown", ["&#27;[31mred", "\x1b[31mred", "[a](http://x/&#27;[31m)", "```\n\x1b]0;title\x07\n```"]
)
def test_rendered_markdown_has_no_control_characters(markdown: str) -> None:
    """Markdown can spell control characters in several ways."""
    lines = render_markdown(markdown, Console(file=io.StringIO(), force_terminal=True, width=60), 60)
    text = "".join(segment.text for line in lines for segment in line)
    assert text.strip()
    assert not [character for character in text if ord(character) < 32 or 127 <= ord(character) < 160]
