"""Markdown from a model as Markdown that is safe to insert into a document: parsed and written again from its tokens.

The result contains no HTML, images or references, and cannot extend beyond its end: text is escaped wherever Markdown
would see more than text, code is fenced, and headings are below the document's own. The result is parsed again, as a
reader with HTML would, and a text that does not come out as expected is shown as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from hldctl.cli.export import safe_html
from hldctl.cli.output import escape_control_chars

# Levels of headings that the document uses itself.
_HEADING_OFFSET = 3
_MAX_HEADING_LEVEL = 6
# Characters; a longer text is not prose, and is slow to parse.
_MAX_LENGTH = 100_000
# Levels; markdown-it drops tokens nested deeper than 20.
_MAX_DEPTH = 18
# Code that GitHub renders as a drawing, some with images from other servers.
_RENDERED_LANGUAGES = frozenset({"mermaid", "geojson", "topojson", "stl", "math"})

_LANGUAGE = re.compile(r"[\w+#.-]+")
_SPECIAL = re.compile(
    r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|&(?=#|[A-Za-z][A-Za-z0-9]*;)|\$(?=\$)|(?<=\$)\$)"
)
_SPECIAL_AT_START = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|-+\s*$|=+\s*$|#{1,6}(?:\s|$)|>|:)")
# An escaped checkbox; GitHub renders one at the start of an item.
_CHECKBOX = re.compile(r"\\\[([ xX])\\\](?=\s)")
_UNSAFE_IN_ADDRESS = re.compile(r"[^A-Za-z0-9:/?#@!$&'+,;=%._~-]")
_ENTITY = re.compile(r"&(?=#|[A-Za-z][A-Za-z0-9]*;)")
# Number of a list item: Markdown accepts nine digits.
_MAX_ITEM_NUMBER = 999_999_999
_END_MARKER = "\n\n# end\n"


def to_safe_markdown(text: str) -> str:
    """Return safe Markdown with the same meaning as far as possible; without a newline at the end."""
    text = escape_control_chars(text)
    if len(text) <= _MAX_LENGTH:
        tokens = safe_html.PARSER.parse(text)
        if all(token.level <= _MAX_DEPTH for token in tokens):
            written = escape_control_chars("\n".join(_Blocks(tokens).lines()))
            environment: dict[str, Any] = {}
            parsed = _READER.parse(written + _END_MARKER, environment)
            if not environment and _is_safe(parsed) and _visible_text(parsed[:-3]) == _visible_text(tokens):
                return written
    return code_block(text, "text").rstrip("\n")


def _is_safe(tokens: Sequence[Token]) -> bool:
    """Return whether it has neither HTML, images nor top-level headings, and `_END_MARKER` is intact."""
    inline = [child for token in tokens for child in token.children or ()]
    return (
        not any(token.type in ("html_block", "html_inline", "image") for token in (*tokens, *inline))
        and all(int(token.tag[1]) > _HEADING_OFFSET for token in tokens[:-3] if token.type == "heading_open")
        and tokens[-3].type == "heading_open"
        and tokens[-3].level == 0
        and tokens[-2].content == "end"
    )


def _visible_text(tokens: Sequence[Token]) -> str:
    """Return the text that a reader sees, without whitespace."""
    contents = (child.content for token in tokens for child in token.children or (token,) if child.type != "inline")
    return "".join("".join(contents).split())


def code_block(text: str, language: str) -> str:
    """Return a block of code whose fence is longer than any run of backticks in the text."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def code_span(line: str) -> str:
    """Return an inline code span."""
    if not line.strip(" "):
        return line
    fence = "`" * (_longest_run(line) + 1)
    space = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) else ""
    return f"{fence}{space}{line}{space}{fence}"


def escape_markdown(text: str) -> str:
    """Return one line of text with all Markdown escaped, also at its start."""
    return _escape_start(_SPECIAL.sub(r"\\\1", text))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _escape_start(line: str) -> str:
    """Return a line of a paragraph that does not begin another block."""
    match = _SPECIAL_AT_START.match(line)
    if match is None:
        return line
    return f"{match[1]}\\{line[len(match[1]) :]}" if match[1] else f"\\{line}"


class _Blocks:
    """A writer of block tokens as lines."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._index = 0

    def lines(self, until: str = "") -> list[str]:
        """Return the blocks up to a token of type `until`, which is consumed."""
        written: list[str] = []
        previous: Token | None = None
        while self._index < len(self._tokens):
            token = self._tokens[self._index]
            self._index += 1
            if token.type == until:
                break
            block = self._block(token)
            if previous is not None and not _needs_no_blank_line(previous, token, block):
                written.append("")
            written += block
            previous = token
        return written

    def _block(self, token: Token) -> list[str]:
        match token.type:
            case "paragraph_open":
                return _paragraph_lines(self._inline("paragraph_close"))
            case "heading_open":
                level = min(_MAX_HEADING_LEVEL, int(token.tag[1]) + _HEADING_OFFSET)
                line = " ".join(self._inline("heading_close", on_one_line=True).split())
                # Signs at its end would be parsed as a closing sequence.
                return [f"{'#' * level} {re.sub('#+$', _escape_match, line)}".rstrip()]
            case "fence" | "code_block":
                match = _LANGUAGE.match(token.info.strip())
                language = match[0] if match and match[0].lower() not in _RENDERED_LANGUAGES else ""
                return code_block(token.content.removesuffix("\n"), language).removesuffix("\n").split("\n")
            case "blockquote_open":
                return [f"> {line}".rstrip() for line in self.lines("blockquote_close") or [""]]
            case "bullet_list_open":
                return self._items("bullet_list_close")
            case "ordered_list_open":
                return self._items("ordered_list_close", int(token.attrGet("start") or 0) if token.attrs else 1)
            case "table_open":
                return self._table()
            case "hr":
                # Hyphens and asterisks could merge with a list marker before them.
                return ["___"]
        return escape_markdown(token.content).split("\n")

    def _inline(self, until: str, *, on_one_line: bool = False) -> str:
        token = self._tokens[self._index]
        while self._tokens[self._index].type != until:
            self._index += 1
        self._index += 1
        return _inline(token.children or (), on_one_line=on_one_line)

    def _items(self, until: str, number: int | None = None) -> list[str]:
        written: list[str] = []
        is_tight = self._is_tight(until)
        while (token := self._tokens[self._index]).type != until:
            self._index += 1
            marker = f"{token.markup or '-'} " if number is None else f"{number}{token.markup or '.'} "
            lines = self.lines("list_item_close") or [""]
            if written and not is_tight:
                written.append("")
            # Code at the start of an item begins on the line of its marker, like any other block.
            written += [
                (marker + line if index == 0 else " " * len(marker) + line).rstrip() for index, line in enumerate(lines)
            ]
            number = None if number is None else min(number + 1, _MAX_ITEM_NUMBER)
        self._index += 1
        return written

    def _is_tight(self, until: str) -> bool:
        """Return whether the items of the list that begins here follow each other without a blank line."""
        level = self._tokens[self._index].level
        for token in self._tokens[self._index :]:
            if token.type == until and token.level < level:
                break
            if token.type == "paragraph_open" and token.level == level + 1 and not token.hidden:
                return False
        return True

    def _table(self) -> list[str]:
        rows: list[list[str]] = []
        alignments: list[str] = []
        while (token := self._tokens[self._index]).type != "table_close":
            self._index += 1
            if token.type == "tr_open":
                rows.append([])
            elif token.type in ("th_open", "td_open"):
                if token.type == "th_open":
                    alignments.append(_ALIGNMENTS.get(str(token.attrGet("style") or ""), "---"))
                children = self._tokens[self._index].children or ()
                rows[-1].append(_inline(children, on_one_line=True, in_table=True))
        self._index += 1
        header, *body = [f"| {' | '.join(row)} |" for row in rows]
        return [header, f"| {' | '.join(alignments)} |", *body]


_ALIGNMENTS = {"text-align:left": ":--", "text-align:right": "--:", "text-align:center": ":-:"}


def _needs_no_blank_line(previous: Token, token: Token, block: Sequence[str]) -> bool:
    """Return whether a block follows a tight item's text without a blank line, as it may interrupt a paragraph."""
    if not previous.hidden or not block:
        return False
    return token.type == "fence" or (
        token.type in ("bullet_list_open", "ordered_list_open")
        and re.match(r"(?:[-+*]|1[.)]) +\S", block[0]) is not None
    )


def _paragraph_lines(text: str) -> list[str]:
    box = _CHECKBOX.match(text)
    if box is not None:
        return [
            f"[{box[1]}] {line}" if index == 0 else line for index, line in enumerate(_escaped_lines(text[box.end() :]))
        ]
    return _escaped_lines(text)


def _escaped_lines(text: str) -> list[str]:
    return [_escape_start(line.strip(" \t")) for line in text.split("\n")]


def _escape_match(match: re.Match[str]) -> str:
    return "".join(f"\\{character}" for character in match[0])


def _inline(tokens: Sequence[Token], *, on_one_line: bool, in_table: bool = False) -> str:
    return "".join(_pieces(tokens, on_one_line, in_table))


def _pieces(tokens: Sequence[Token], on_one_line: bool, in_table: bool) -> Iterator[str]:
    address = ""
    for index, token in enumerate(tokens):
        match token.type:
            case "softbreak":
                yield " " if on_one_line else "\n"
            case "hardbreak":
                yield " " if on_one_line else "\\\n"
            case "code_inline":
                written = code_span(token.content)
                yield written.replace("|", "\\|") if in_table else written
            case "link_open":
                # The parser accepts an empty address without a check: the text alone remains.
                address = _address(str(token.attrGet("href") or ""))
                yield "[" if address else ""
            case "link_close":
                yield f"]({address})" if address else ""
            case "em_open" | "em_close" | "strong_open" | "strong_close" | "s_open" | "s_close":
                yield token.markup
            case _:
                # Markdown entities such as &#10; become control characters and newlines.
                text = _SPECIAL.sub(r"\\\1", " ".join(escape_control_chars(token.content).split("\n")))
                before_link = index + 1 < len(tokens) and tokens[index + 1].type == "link_open"
                yield f"{text[:-1]}\\!" if before_link and text.endswith("!") else text


def _address(href: str) -> str:
    """Return an address that cannot end the link; its scheme was checked before."""
    quoted = _UNSAFE_IN_ADDRESS.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), href)
    return _ENTITY.sub("&amp;", quoted)


_READER = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"])
