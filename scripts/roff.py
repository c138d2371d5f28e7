"""Roff, the language of manual pages."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping

_WIDTH = 78


def page(name: str, section: int, date: str, version: str, bodies: Mapping[str, str]) -> str:
    """A whole page; sections without a body are left out."""
    heading = f'.TH {literal(name.upper())} {section} "{date}" "hldctl {literal(version)}" "hldctl manual"'
    sections = [f'.SH "{title}"\n{body}' for title, body in bodies.items() if body]
    return "\n".join(['.\\" Written by scripts/generate.py; change the help texts instead.', heading, *sections]) + "\n"


def name(page: str, purpose: str) -> str:
    """What the section NAME holds, as it is indexed."""
    return "\n".join(_lines(rf"{literal(page)} \- {_marked(purpose)}"))


def literal(text: str) -> str:
    """Text that roff prints as it is, with hyphens that can be copied into a shell."""
    return _plain(text).replace("-", r"\-")


def prose(text: str) -> str:
    """A paragraph with `code` and --options in bold, and hyphens that may be hyphens, in lines of 80 characters."""
    return "\n".join(map(_not_a_request, _lines(_marked(text))))


def _marked(text: str) -> str:
    parts = re.split(r"(`[^`]+`|(?<![\w-])--?[A-Za-z][\w-]*)", " ".join(text.split()))
    # The matches are at the odd places.
    return "".join(bold(part.strip("`")) if place % 2 else _plain(part) for place, part in enumerate(parts))


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


_SPECIAL = {"\\": r"\(rs", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq", "…": "..."}


def _plain(text: str) -> str:
    """The characters that roff would take for something else, escaped; pages are ASCII for any terminal."""
    return "".join(_SPECIAL.get(character) or _ascii(character) for character in text)


def _ascii(character: str) -> str:
    return character if character.isascii() else rf"\[u{ord(character):04X}]"


def _not_a_request(line: str) -> str:
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
    """Lines as they are, in a block that can be copied."""
    lines = "\n".join(_not_a_request(literal(line)) for line in text.splitlines())
    return f".EX\n{lines}\n.EE"


def examples(entries: Iterable[tuple[str, str]]) -> str:
    """Lines to type, each below what it is for."""
    return "\n.PP\n".join(f"{prose(purpose + ':')}\n.PP\n.RS 4\n{listing(line)}\n.RE" for purpose, line in entries)
