"""Markdown from a model as Markdown that may be put into a document: it is parsed, and written again from its tokens.

Nothing of it is HTML, an image or a reference, and it ends where it ends: what is written is escaped wherever Markdown
would see more than text, code is fenced, and headings stand below the document's own. The result is parsed once more,
as a reader with HTML would, and a text that does not come out as expected is shown as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from hldctl.cli.export import safe_html
from hldctl.cli.output import harmless

_HEADINGS_BELOW = 3
"""How many levels of headings are the document's own."""
_LOWEST_HEADING = 6
_LONGEST = 100_000
"""Characters; what is longer is no prose, and takes long to take apart."""
_DEEPEST = 18
"""Levels; markdown-it leaves out what is nested deeper than 20."""
_TO_BE_DRAWN = frozenset({"mermaid", "geojson", "topojson", "stl", "math"})
"""Code that GitHub draws, with images from elsewhere in some of it."""

_LANGUAGE = re.compile(r"[\w+#.-]+")
_MEANING = re.compile(
    r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|&(?=#|[A-Za-z][A-Za-z0-9]*;)|\$(?=\$)|(?<=\$)\$)"
)
_AT_THE_START = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|-+\s*$|=+\s*$|#{1,6}(?:\s|$)|>|:)")
_CHECKBOX = re.compile(r"\\\[([ xX])\\\](?=\s)")
"""Once it is escaped; GitHub draws it at the start of an item."""
_IN_AN_ADDRESS = re.compile(r"[^A-Za-z0-9:/?#@!$&'+,;=%._~-]")
_ENTITY = re.compile(r"&(?=#|[A-Za-z][A-Za-z0-9]*;)")
_LARGEST_NUMBER = 999_999_999
"""Of an item: Markdown takes nine digits."""
_END = "\n\n# end\n"


def contained(text: str) -> str:
    """Return the text with the meaning of its Markdown, as far as that is safe; without a newline at the end."""
    text = harmless(text)
    if len(text) <= _LONGEST:
        tokens = safe_html.PARSER.parse(text)
        if all(token.level <= _DEEPEST for token in tokens):
            written = harmless("\n".join(_Blocks(tokens).lines()))
            environment: dict[str, Any] = {}
            read = _READER.parse(written + _END, environment)
            if not environment and _is_contained(read) and _words(read[:-3]) == _words(tokens):
                return written
    return fenced(text, "text").rstrip("\n")


def _is_contained(tokens: Sequence[Token]) -> bool:
    """Whether there is no HTML, no image and no heading of the document's, and `_END` is what it is."""
    inline = [child for token in tokens for child in token.children or ()]
    return (
        not any(token.type in ("html_block", "html_inline", "image") for token in (*tokens, *inline))
        and all(int(token.tag[1]) > _HEADINGS_BELOW for token in tokens[:-3] if token.type == "heading_open")
        and tokens[-3].type == "heading_open"
        and tokens[-3].level == 0
        and tokens[-2].content == "end"
    )


def _words(tokens: Sequence[Token]) -> str:
    """What a reader is shown, without blanks."""
    shown = (child.content for token in tokens for child in token.children or (token,) if child.type != "inline")
    return "".join("".join(shown).split())


def fenced(text: str, language: str) -> str:
    """Return a block of code; the fence is longer than any in the text."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def code(line: str) -> str:
    """Return code within a line."""
    if not line.strip(" "):
        return line
    fence = "`" * (_longest_run(line) + 1)
    space = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) else ""
    return f"{fence}{space}{line}{space}{fence}"


def plain(text: str) -> str:
    """Return text of one line that is no Markdown, also at the start of a line."""
    return _with_escaped_start(_MEANING.sub(r"\\\1", text))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _with_escaped_start(line: str) -> str:
    """Return a line of a paragraph that begins no other block."""
    found = _AT_THE_START.match(line)
    if found is None:
        return line
    return f"{found[1]}\\{line[len(found[1]) :]}" if found[1] else f"\\{line}"


class _Blocks:
    """Blocks of tokens as lines."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._place = 0

    def lines(self, until: str = "") -> list[str]:
        """The blocks up to a token of that type, which is taken as well."""
        written: list[str] = []
        before: Token | None = None
        while self._place < len(self._tokens):
            token = self._tokens[self._place]
            self._place += 1
            if token.type == until:
                break
            block = self._block(token)
            if before is not None and not _stands_close(before, token, block):
                written.append("")
            written += block
            before = token
        return written

    def _block(self, token: Token) -> list[str]:
        match token.type:
            case "paragraph_open":
                return _lines_with_escaped_starts(self._inline("paragraph_close"))
            case "heading_open":
                level = min(_LOWEST_HEADING, int(token.tag[1]) + _HEADINGS_BELOW)
                line = " ".join(self._inline("heading_close", on_one_line=True).split())
                # What stands at its end would be taken for its closing sequence.
                return [f"{'#' * level} {re.sub('#+$', _escaped, line)}".rstrip()]
            case "fence" | "code_block":
                found = _LANGUAGE.match(token.info.strip())
                language = found[0] if found and found[0].lower() not in _TO_BE_DRAWN else ""
                return fenced(token.content.removesuffix("\n"), language).removesuffix("\n").split("\n")
            case "blockquote_open":
                return [f"> {line}".rstrip() for line in self.lines("blockquote_close") or [""]]
            case "bullet_list_open":
                return self._items("bullet_list_close")
            case "ordered_list_open":
                return self._items("ordered_list_close", int(token.attrGet("start") or 0) if token.attrs else 1)
            case "table_open":
                return self._table()
            case "hr":
                # Hyphens and asterisks would be one with the mark of a list before them.
                return ["___"]
        return plain(token.content).split("\n")

    def _inline(self, until: str, *, on_one_line: bool = False) -> str:
        token = self._tokens[self._place]
        while self._tokens[self._place].type != until:
            self._place += 1
        self._place += 1
        return _inline(token.children or (), on_one_line=on_one_line)

    def _items(self, until: str, number: int | None = None) -> list[str]:
        written: list[str] = []
        is_tight = self._is_tight(until)
        while (token := self._tokens[self._place]).type != until:
            self._place += 1
            mark = f"{token.markup or '-'} " if number is None else f"{number}{token.markup or '.'} "
            lines = self.lines("list_item_close") or [""]
            if written and not is_tight:
                written.append("")
            # Code as the first thing of an item begins on the line of its mark, as any other block.
            written += [
                (mark + line if place == 0 else " " * len(mark) + line).rstrip() for place, line in enumerate(lines)
            ]
            number = None if number is None else min(number + 1, _LARGEST_NUMBER)
        self._place += 1
        return written

    def _is_tight(self, until: str) -> bool:
        """Whether no blank line stands between the items of the list that begins here."""
        level = self._tokens[self._place].level
        for token in self._tokens[self._place :]:
            if token.type == until and token.level < level:
                break
            if token.type == "paragraph_open" and token.level == level + 1 and not token.hidden:
                return False
        return True

    def _table(self) -> list[str]:
        rows: list[list[str]] = []
        aligned: list[str] = []
        while (token := self._tokens[self._place]).type != "table_close":
            self._place += 1
            if token.type == "tr_open":
                rows.append([])
            elif token.type in ("th_open", "td_open"):
                if token.type == "th_open":
                    aligned.append(_ALIGNED.get(str(token.attrGet("style") or ""), "---"))
                children = self._tokens[self._place].children or ()
                rows[-1].append(_inline(children, on_one_line=True, in_table=True))
        self._place += 1
        header, *body = [f"| {' | '.join(row)} |" for row in rows]
        return [header, f"| {' | '.join(aligned)} |", *body]


_ALIGNED = {"text-align:left": ":--", "text-align:right": "--:", "text-align:center": ":-:"}


def _stands_close(before: Token, token: Token, block: Sequence[str]) -> bool:
    """Whether a block follows the text of a tight item without a blank line: what may interrupt a paragraph."""
    if not before.hidden or not block:
        return False
    return token.type == "fence" or (
        token.type in ("bullet_list_open", "ordered_list_open")
        and re.match(r"(?:[-+*]|1[.)]) +\S", block[0]) is not None
    )


def _lines_with_escaped_starts(text: str) -> list[str]:
    box = _CHECKBOX.match(text)
    if box is not None:
        return [f"[{box[1]}] {line}" if place == 0 else line for place, line in enumerate(_lines(text[box.end() :]))]
    return _lines(text)


def _lines(text: str) -> list[str]:
    return [_with_escaped_start(line.strip(" \t")) for line in text.split("\n")]


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\{character}" for character in match[0])


def _inline(tokens: Sequence[Token], *, on_one_line: bool, in_table: bool = False) -> str:
    return "".join(_pieces(tokens, on_one_line, in_table))


def _pieces(tokens: Sequence[Token], on_one_line: bool, in_table: bool) -> Iterator[str]:
    address = ""
    for place, token in enumerate(tokens):
        match token.type:
            case "softbreak":
                yield " " if on_one_line else "\n"
            case "hardbreak":
                yield " " if on_one_line else "\\\n"
            case "code_inline":
                written = code(token.content)
                yield written.replace("|", "\\|") if in_table else written
            case "link_open":
                address = _address(str(token.attrGet("href") or ""))
                yield "["
            case "link_close":
                yield f"]({address})"
            case "em_open" | "em_close" | "strong_open" | "strong_close" | "s_open" | "s_close":
                yield token.markup
            case _:
                # Markdown has spellings of its own for control characters and newlines, such as &#10;.
                text = _MEANING.sub(r"\\\1", " ".join(harmless(token.content).split("\n")))
                before_link = place + 1 < len(tokens) and tokens[place + 1].type == "link_open"
                yield f"{text[:-1]}\\!" if before_link and text.endswith("!") else text


def _address(href: str) -> str:
    """Return an address in which nothing ends the link; its scheme is known to be harmless."""
    quoted = _IN_AN_ADDRESS.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), href)
    return _ENTITY.sub("&amp;", quoted)


_READER = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"])
