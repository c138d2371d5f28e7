"""The QUERY argument of `launch` and `continue`, from the command line, a file or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.errors import BadUsage
from hldctl.system.piped_input import PATIENCE_SECONDS, read_piped_input

Query = Annotated[
    str | None,
    typer.Argument(
        metavar="QUERY",
        help="What Claude Code should do; piped input is added to it. `-` or nothing reads standard input.",
    ),
]


def is_attended() -> bool:
    """Return whether any standard stream is a terminal: the query may come from a pipe, the id go into a variable."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


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
    if text is None and sys.stdin is not None and sys.stdin.isatty():
        raise BadUsage(f"A {what} is missing; give it as an argument, with {option}, or on standard input.")
    if text is None or text == "-":
        return _read_standard_input(what, option)
    return _with_piped_input(text, what, quiet=quiet)


def _with_piped_input(first: str, what: str, *, quiet: bool) -> str:
    """Return a text with standard input on the lines after it, as `claude -p` does, if that is meant for it."""
    piped = read_piped_input()
    if piped.is_missing and not quiet:
        output.print_note(
            f"nothing has arrived on standard input within {PATIENCE_SECONDS:.0f} s; the {what} is used "
            'without it; add the output of a slow program with "… $(program)"'
        )
    text = piped.data.decode("utf-8", "replace")
    if not text.strip():
        return first
    if not piped.is_certain and not quiet:
        output.print_note(f"{len(piped.data)} bytes of standard input were added to the {what}")
    return f"{first}\n{text}"


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
