"""The QUERY argument of `launch` and `continue`, from the command line, a file or standard input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hldctl.cli import piped_text
from hldctl.errors import BadUsage

Query = Annotated[
    str | None,
    typer.Argument(
        metavar="QUERY",
        help="What Claude Code should do; piped input is added to it. `-` or nothing reads standard input.",
    ),
]


def query_and_rest(
    ctx: typer.Context, query: str | None, file: Path | None, *, quiet: bool
) -> tuple[str, tuple[str, ...]]:
    """Return the query, with what is piped in after it, and the arguments for Claude Code.

    Raise BadUsage without a query.
    """
    rest: tuple[str, ...] = ctx.meta.get("rest", ())
    if query is None and rest and file is None:
        query, rest = rest[0], rest[1:]
    return read_text(query, file, "query", "--query-file", quiet=quiet), rest


def read_text(text: str | None, file: Path | None, what: str, option: str, *, quiet: bool) -> str:
    """Return a text given as an argument, as the file of an option, or on standard input; raise BadUsage without one.

    Piped input is added to the first two. `what` names the text in messages.
    """
    if file is not None:
        if text is not None:
            raise BadUsage(f"Give the {what} either as an argument or with {option}, not both.")
        return _with_piped_input(_read_file(file, option), what, quiet=quiet)
    if text is None:
        piped_text.require_input(what, option)
    if text is None or text == "-":
        return piped_text.all_bytes(what, option).decode("utf-8", "replace")
    return _with_piped_input(text, what, quiet=quiet)


def _with_piped_input(first: str, what: str, *, quiet: bool) -> str:
    """Return a text with standard input on the lines after it, as `claude -p` does, if that is meant for it."""
    text = piped_text.piped_bytes(what, quiet=quiet).decode("utf-8", "replace")
    return f"{first}\n{text}" if text.strip() else first


def _read_file(file: Path, option: str) -> str:
    try:
        return file.expanduser().read_bytes().decode("utf-8", "replace")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadUsage(f"{option} {file} cannot be read: {reason}.") from None
