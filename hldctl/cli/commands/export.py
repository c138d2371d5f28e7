"""`hldctl export`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hldctl.cli import elsewhere
from hldctl.cli.terminal.progress import show_progress
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.inspect import details
from hldctl.store.database import open_for_reading


class Format(StrEnum):
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


_SUFFIXES = {
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".json": Format.JSON,
}


def command(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to export.")],
    format: Annotated[
        Format | None,
        typer.Option("--format", help="Output format. Default: that of the suffix of FILE, or Markdown."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to FILE (atomically) instead of standard output."),
    ] = None,
) -> None:
    """Export a session with its whole conversation as one document.

    The HTML page needs no network and contains no scripts; click a tool call to expand it.
    """
    chosen = choose_format(format, output)
    with elsewhere.find([session]) as view, open_for_reading(view.state):
        encoded = (text.encode("utf-8", errors="replace") for text in _pieces(view.state, session, chosen))
        pieces = show_progress(encoded, _describe_progress, len, prints_items=output is None)
        if output is None:
            # Bytes, since the page declares UTF-8, whatever the locale is.
            sys.stdout.buffer.writelines(pieces)
            sys.stdout.buffer.flush()
        else:
            write(output, pieces, ctx.obj["umask"])


def _describe_progress(size: int) -> str:
    return f"exporting: {size / (1 << 20):.1f} MB"


def choose_format(given: Format | None, output: Path | None) -> Format:
    """Return the format; raise BadUsage if the suffix of the file stands for another one than the given format."""
    implied = _SUFFIXES.get("" if output is None else output.suffix.lower())
    if given is not None and implied is not None and given is not implied:
        raise BadUsage(f"--format {given} does not fit {output}; leave --format out, or choose another suffix.")
    return given or implied or Format.MARKDOWN


def write(output: Path, pieces: Iterator[bytes], umask: int) -> None:
    from hldctl.system import atomic_write

    try:
        atomic_write.write(output.expanduser(), pieces, umask)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUsage(f"Cannot write {output}: {reason}.") from None


def _pieces(state: StateDirectory, session_ref: str, format: Format) -> Iterator[str]:
    inspection = details.load_details(state, session_ref)
    # Imported here, so that each format loads only what it needs.
    if format is Format.JSON:
        from hldctl.cli.export import json_document

        yield from json_document.document(state, inspection)
        return
    from hldctl.cli.export import document

    content = document.build_document(state, inspection)
    if format is Format.HTML:
        from hldctl.cli.export import html

        yield from html.page(content)
    else:
        from hldctl.cli.export import markdown

        yield from markdown.text(content)
