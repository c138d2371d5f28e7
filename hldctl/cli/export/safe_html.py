"""Markdown from a model as HTML in which nothing can run, load or break out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from hldctl.cli.output import harmless

_SCHEMES = frozenset({"http", "https", "mailto"})
_HEADINGS_BELOW = 2
"""How many levels of headings are the document's own."""
_LOWEST_HEADING = 6
_LONGEST = 100_000
"""Characters; what is longer is no prose, and takes long to take apart."""


def rendered(text: str) -> str:
    """HTML that may be put into a page as it is."""
    if len(text) > _LONGEST:
        return f"<pre>{escape(harmless(text))}</pre>"
    tokens = PARSER.parse(harmless(text))
    _adapt(tokens)
    # Once more: Markdown has spellings of its own for control characters, such as &#27;.
    return harmless(PARSER.renderer.render(tokens, PARSER.options, {}))


def _is_safe(url: str) -> bool:
    try:
        return urlsplit(url).scheme.lower() in _SCHEMES
    except ValueError:
        return False


def _parser() -> MarkdownIt:
    # Images would be loaded from somewhere; what stands for one is a link then.
    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable("image")
    parser.validateLink = _is_safe  # type: ignore[method-assign]  # as its documentation has it
    return parser


PARSER = _parser()
"""Without HTML, images and links to anything but the web and mail."""


def _adapt(tokens: Sequence[Token]) -> None:
    for token in tokens:
        match token.type:
            case "heading_open" | "heading_close":
                token.tag = f"h{min(_LOWEST_HEADING, int(token.tag[1]) + _HEADINGS_BELOW)}"
            case "link_open":
                token.attrSet("rel", "noreferrer noopener nofollow")
        _adapt(token.children or ())
