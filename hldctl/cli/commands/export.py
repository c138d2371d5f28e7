"""`hldctl export`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import details
from hldctl.store.database import reading


class Format(StrEnum):
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


def command(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="ID", help="The session to export.")],
    format: Annotated[Format, typer.Option("--format", help="As what.")] = Format.MARKDOWN,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Into this file, wholly or not at all; else to standard output."
        ),
    ] = None,
) -> None:
    """Write a session with its whole conversation as one document.

    The HTML page needs no network and runs no script; tool calls unfold in it.
    """
    state = StateDirectory.from_environment()
    with reading(state):
        pieces = (text.encode("utf-8", errors="replace") for text in _pieces(state, session, format))
        if output is None:
            # Bytes: a page says that it is UTF-8, whatever the locale is.
            sys.stdout.buffer.writelines(pieces)
            sys.stdout.buffer.flush()
        else:
            _write(output, pieces, ctx.obj["umask"])


def _write(output: Path, pieces: Iterator[bytes], umask: int) -> None:
    from hldctl.system import atomic_write

    try:
        atomic_write.write(output.expanduser(), pieces, umask)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUsage(f"{output} cannot be written: {reason}.") from None


def _pieces(state: StateDirectory, words: str, format: Format) -> Iterator[str]:
    found = details.inspect(state, words)
    # Each loads what it needs, and nobody else does.
    if format is Format.JSON:
        from hldctl.cli.export import json_document

        yield from json_document.document(state, found)
        return
    from hldctl.cli.export import document

    whole = document.of(state, found)
    if format is Format.HTML:
        from hldctl.cli.export import html

        yield from html.page(whole)
    else:
        from hldctl.cli.export import markdown

        yield from markdown.text(whole)
