"""Fenced blocks of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def read_block(document: str, language: str, number: int = 0, *, section: str = "") -> str:
    """Return the text of the nth block in this language of a page below docs/, counted from the section's heading."""
    text = (ROOT / "docs" / document).read_text()
    start = text.index(f"\n{section}\n") if section else 0
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text[start:], re.DOTALL | re.MULTILINE)
    return str(blocks[number])
