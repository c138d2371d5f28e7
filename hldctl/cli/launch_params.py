"""The QUERY argument of `launch` and `continue`, from the command line, a file or standard input."""

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
    """Return whether any standard stream is a terminal: the query may come from a pipe, the id go into a variable."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def query_and_rest(ctx: typer.Context, query: str | None, file: Path | None) -> tuple[str, tuple[str, ...]]:
    """Return the query, and the arguments for Claude Code; raise BadUsage without a query."""
    rest: tuple[str, ...] = ctx.meta.get("rest", ())
    if query is None and rest and file is None:
        query, rest = rest[0], rest[1:]
    return read_text(query, file, "query", "--query-file"), rest


def read_text(text: str | None, file: Path | None, what: str, option: str) -> str:
    """Return a text given as an argument, as the file of an option, or on standard input; raise BadUsage without one.

    `what` names the text in errors.
    """
    if file is not None:
        if text is not None:
            raise BadUsage(f"Give the {what} either as an argument or with {option}, not both.")
        return _read_file(file, option)
    if text is None and sys.stdin is not None and sys.stdin.isatty():
        raise BadUsage(f"A {what} is missing; give it as an argument, with {option}, or on standard input.")
    return _read_standard_input(what, option) if text in (None, "-") else text


def _read_file(file: Path, option: str) -> str:
    try:
        return file.expanduser().read_bytes().decode("utf-8", "replace")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUsage(f"{option} {file} cannot be read: {reason}.") from None


def _read_standard_input(what: str, option: str) -> str:
    if sys.stdin is None:
        raise BadUsage(f"A {what} is missing, and standard input is closed; give it as an argument or with {option}.")
    return sys.stdin.buffer.read().decode("utf-8", "replace")
