"""An exported Markdown document as GitHub, or a viewer that allows HTML, renders it."""

from __future__ import annotations

from html.parser import HTMLParser

from markdown_it import MarkdownIt

VIEWERS = (
    MarkdownIt("commonmark", {"html": True}),
    MarkdownIt("gfm-like", {"html": True, "linkify": False}),
)
_MARKDOWN = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "pre", "code", "em", "strong", "s", "a", "blockquote"),
    *("table", "thead", "tbody", "tr", "th", "td", "hr", "br"),
}
_OURS = {"details", "summary", "b", "i"}
_ATTRIBUTES = {"href", "class", "start", "style"}
_EMPTY = {"hr", "br"}
_STYLES = {"text-align:left", "text-align:right", "text-align:center"}


class RenderedMarkdown(HTMLParser):
    """A rendered document. Raise AssertionError if an element is not closed in order, or is not allowed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.top: list[tuple[str, str]] = []
        """Each heading at the top level: its tag and its text."""
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in _MARKDOWN | _OURS, tag
        self.tags.add(tag)
        for name, value in attributes:
            assert name in _ATTRIBUTES, (tag, name)
            if name == "href":
                assert (value or "").partition(":")[0].lower() in ("http", "https", "mailto"), value
            if name == "style":
                assert value in _STYLES
        if tag not in _EMPTY:
            if not self._open and tag[0] == "h":
                self.top.append((tag, ""))
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[0] in ("h1", "h2", "h3"):
            tag, text = self.top[-1]
            self.top[-1] = tag, text + data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def headings(markdown: str) -> list[tuple[str, str]]:
    """Return the document's own headings. Raise AssertionError if the viewers do not agree."""
    first, *others = [
        [(tag, text) for tag, text in RenderedMarkdown(viewer.render(markdown)).top if tag in ("h1", "h2", "h3")]
        for viewer in VIEWERS
    ]
    assert all(other == first for other in others)
    return first


def assert_contained(message: str) -> None:
    """Assert that a message, quoted or not, runs nothing, loads nothing and does not swallow the text after it."""
    quoted = "\n".join(f"> {line}" for line in message.split("\n"))
    document = f"### A\n\n{message}\n\n### B\n\n{quoted}\n\n### C\n\n<details>\n\n{message}\n\n</details>\n\n### D\n"
    assert headings(document) == [("h3", letter) for letter in "ABCD"]
