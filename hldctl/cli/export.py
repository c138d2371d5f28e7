"""`hldctl export`."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hldctl.errors import BadUsage
from hldctl.host.paths import StateDirectory
from hldctl.sessions import following, inspection
from hldctl.store import view


class Format(StrEnum):
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


def command(
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to export.")],
    format: Annotated[Format, typer.Option("--format", help="As what.")] = Format.MARKDOWN,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Into this file; else to standard output.")
    ] = None,
) -> None:
    """Write a session with its whole conversation as one document.

    The HTML page needs no network and runs no script.
    """
    text = _document(StateDirectory.from_environment(), session, format)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.expanduser().write_text(text, encoding="utf-8", errors="replace")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUsage(f"{output} cannot be written: {reason}.") from None


def _document(state: StateDirectory, words: str, format: Format) -> str:
    session = inspection.inspect(state, words).session
    events = following.events(state, [session.id])
    if format is Format.JSON:
        whole = view.session_object(session) | {"events": [view.event_object(event) for event in events]}
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"
    # Each loads what it needs, and nobody else does.
    if format is Format.HTML:
        from hldctl.cli import export_html

        return export_html.page(session, events)
    from hldctl.cli import export_markdown

    return export_markdown.document(session, events)
