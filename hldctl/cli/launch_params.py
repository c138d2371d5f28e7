"""The QUERY argument of `launch` and `continue`: from the command line, a file or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hldctl.errors import BadUsage

Query = Annotated[
    str | None,
    typer.Argument(metavar="QUERY", help="What Claude Code should do; `-` or nothing reads standard input."),
]


def is_attended() -> bool:
    """Whether somebody sits at a terminal: also where the query comes from a pipe, or the id goes into a variable."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def query_and_rest(ctx: typer.Context, query: str | None, file: Path | None) -> tuple[str, tuple[str, ...]]:
    """The query from wherever it comes, and what is for Claude Code itself."""
    rest: tuple[str, ...] = ctx.meta.get("rest", ())
    if file is not None:
        if query is not None:
            raise BadUsage("Give the query either as a word or by --query-file.")
        return _from_file(file), rest
    if query is None and rest:
        query, rest = rest[0], rest[1:]
    if query is None and sys.stdin is not None and sys.stdin.isatty():
        raise BadUsage("There is no query; give it as a word, by --query-file, or on standard input.")
    return (_from_input() if query in (None, "-") else query), rest


def _from_file(file: Path) -> str:
    try:
        return file.expanduser().read_bytes().decode("utf-8", "replace")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUsage(f"--query-file {file} cannot be read: {reason}.") from None


def _from_input() -> str:
    if sys.stdin is None:
        raise BadUsage("There is no query, and standard input is closed.")
    return sys.stdin.buffer.read().decode("utf-8", "replace")
