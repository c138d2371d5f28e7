"""Markdown from a model as safe HTML: nothing in it can run, load or break out of its place."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from hldctl.cli.output import escape_control_chars

_SCHEMES = frozenset({"http", "https", "mailto"})
# Levels of headings that the document uses itself.
_HEADING_OFFSET = 2
_MAX_HEADING_LEVEL = 6
# Characters; a longer text is not prose, and is slow to parse.
_MAX_LENGTH = 100_000


def render_html(text: str) -> str:
    """Return HTML that is safe to insert into a page."""
    if len(text) > _MAX_LENGTH:
        return f"<pre>{escape(escape_control_chars(text))}</pre>"
    tokens = PARSER.parse(escape_control_chars(text))
    _adapt(tokens)
    # Escape again: Markdown entities such as &#27; become control characters.
    return escape_control_chars(PARSER.renderer.render(tokens, PARSER.options, {}))


def _is_safe(url: str) -> bool:
    try:
        return urlsplit(url).scheme.lower() in _SCHEMES
    except ValueError:
        return False


def _parser() -> MarkdownIt:
    # Images would be loaded from a server. With the rule disabled, `![text](url)` becomes a link.
    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable("image")
    parser.validateLink = _is_safe  # type: ignore[method-assign]  # as its documentation has it
    return parser


PARSER = _parser()
"""A parser without HTML, images, and links other than to the web and mail."""


def _adapt(tokens: Sequence[Token]) -> None:
    for token in tokens:
        match token.type:
            case "heading_open" | "heading_close":
                token.tag = f"h{min(_MAX_HEADING_LEVEL, int(token.tag[1]) + _HEADING_OFFSET)}"
            case "link_open":
                token.attrSet("rel", "noreferrer noopener nofollow")
        _adapt(token.children or ())
