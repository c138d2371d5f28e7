"""A transcript as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hldctl.cli import transcript
from hldctl.cli.transcript import Part
from hldctl.store.conversation import Event
from hldctl.store.models import Session


def document(session: Session, events: Iterable[Event]) -> str:
    """Messages as they are, for they are Markdown themselves; all else in blocks of code."""
    head = [f"# {transcript.title(session)}", ""]
    head += [f"- {name}: {value}" for name, value in transcript.facts(session)]
    return "\n".join([*head, *(line for part in transcript.parts(events) for line in _lines(part)), ""])


def _lines(part: Part) -> Iterator[str]:
    yield from ("", f"## {part.who}" + (" (subagent)" if part.is_inner else ""), "")
    if part.kind == "message":
        yield part.text
    elif part.kind == "thinking":
        yield from (f"> {line}" for line in part.text.split("\n"))
    else:
        fence = _fence(part.text)
        yield from (fence, part.text.rstrip("\n"), fence)


def _fence(text: str) -> str:
    """Longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)
