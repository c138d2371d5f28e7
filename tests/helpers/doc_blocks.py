"""What the documentation shows, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def block(document: str, language: str, number: int = 0, *, section: str = "") -> str:
    """The text of a fenced block of a page below docs/, counted from the section's heading on."""
    text = (ROOT / "docs" / document).read_text()
    start = text.index(f"\n{section}\n") if section else 0
    found = re.findall(rf"^```{language}\n(.*?)^```$", text[start:], re.DOTALL | re.MULTILINE)
    return str(found[number])
