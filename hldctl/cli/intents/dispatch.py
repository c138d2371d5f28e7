"""The decision whether a command is for sessions of other machines. Nothing of the fleet is loaded for those here."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.cli import command_line, elsewhere
from hldctl.cli.command_line import CommandLine
from hldctl.cli.intents import rules
from hldctl.cli.standard_streams import is_interactive
from hldctl.config import schema
from hldctl.errors import NoSuchSession
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import requests
from hldctl.store.database import open_for_reading


def run(arguments: Sequence[str]) -> int | None:
    """Ask other machines for a command on their sessions, and return its exit code; None if it has to run here."""
    line = command_line.parse(arguments)
    if not line.path or line.path[0] not in rules.RIGHTS or line.has("--help") or _asks_in_place(line):
        return None
    state = StateDirectory.from_environment()
    refs = _references(line)
    missing = {ref: error for ref in refs if (error := _find_missing(state, line, ref)) is not None}
    settings = schema.load().fleet if missing else None
    if settings is None:
        return None
    from hldctl.cli.intents.ask import ask

    return ask(state, settings, line, refs, missing)


def _asks_in_place(line: CommandLine) -> bool:
    """Return whether the command asks the question here, and sends what is answered."""
    has_choice = len([*line.arguments, *line.rest[1:]]) > 1 or line.has("--question")
    return line.path[0] == "answer" and not has_choice and not line.has("--json") and is_interactive()


def _references(line: CommandLine) -> list[str]:
    """Return what the command line says that the command is for."""
    if line.path[0] in ("approve", "deny") and (session := line.value("--session")) is not None:
        return [session]
    arguments = line.arguments
    return list(dict.fromkeys(arguments if line.path[0] in rules.FOR_SEVERAL else arguments[:1]))


def _find_missing(state: StateDirectory, line: CommandLine, ref: str) -> NoSuchSession | None:
    """Return the error for a reference that names nothing on this machine; None if it does."""
    if line.path[0] not in rules.ANSWERS or line.has("--session"):
        return elsewhere.find_missing(state, [ref])
    with open_for_reading(state):
        is_here = bool(requests.request_ids_with_prefix(ref.lower()))
    return None if is_here else NoSuchSession(f"No permission request {ref!r}.")
