"""Roff markup for manual pages."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping

_WIDTH = 78


def page(name: str, section: int, date: str, version: str, bodies: Mapping[str, str]) -> str:
    """Return a whole page; sections without a body are left out."""
    heading = f'.TH {literal(name.upper())} {section} "{date}" "hldctl {literal(version)}" "hldctl manual"'
    sections = [f'.SH "{title}"\n{body}' for title, body in bodies.items() if body]
    return "\n".join(['.\\" Written by scripts/generate.py; change the help texts instead.', heading, *sections]) + "\n"


def name(page: str, purpose: str) -> str:
    """Return the content of the section NAME, from which indexes are made."""
    return "\n".join(_lines(rf"{literal(page)} \- {_mark_up(purpose)}"))


def literal(text: str) -> str:
    """Return text that roff prints unchanged, with hyphens that can be copied into a shell."""
    return _escape(text).replace("-", r"\-")


def prose(text: str) -> str:
    """Return a paragraph in lines of at most 78 characters, with `code` and --options in bold."""
    return "\n".join(map(_escape_request, _lines(_mark_up(text))))


def _mark_up(text: str) -> str:
    parts = re.split(r"(`[^`]+`|(?<![\w-])--?[A-Za-z][\w-]*)", " ".join(text.split()))
    # The matches have odd indexes.
    return "".join(bold(part.strip("`")) if index % 2 else _escape(part) for index, part in enumerate(parts))


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


_SPECIAL = {"\\": r"\(rs", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq", "…": "..."}


def _escape(text: str) -> str:
    """Escape characters that are special in roff or not ASCII, so that pages can be shown on any terminal."""
    return "".join(_SPECIAL.get(character) or _ascii(character) for character in text)


def _ascii(character: str) -> str:
    return character if character.isascii() else rf"\[u{ord(character):04X}]"


def _escape_request(line: str) -> str:
    return rf"\&{line}" if line.startswith((".", "'")) else line


def bold(text: str) -> str:
    return rf"\fB{literal(text)}\fR"


def italic(text: str) -> str:
    return rf"\fI{literal(text)}\fR"


def reference(page: str, section: int = 1) -> str:
    return f"{bold(page)}({section})"


def entries(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f".TP\n{tag}\n{text}" for tag, text in entries)


def listing(text: str) -> str:
    """Return the lines unchanged, in a block that can be copied."""
    lines = "\n".join(_escape_request(literal(line)) for line in text.splitlines())
    return f".EX\n{lines}\n.EE"


def examples(entries: Iterable[tuple[str, str]]) -> str:
    """Return command lines, each below its purpose."""
    return "\n.PP\n".join(f"{prose(purpose + ':')}\n.PP\n.RS 4\n{listing(line)}\n.RE" for purpose, line in entries)
