"""Which commands can be asked of another machine, what they are called in `[fleet] accept`, and what they may hold."""

from __future__ import annotations

from collections.abc import Mapping

from hldctl.cli.command_line import CommandLine
from hldctl.config.fleet import Accepted
from hldctl.errors import NoSuchSession

Missing = Mapping[str, NoSuchSession]
"""References that name nothing on this machine, each with the error for that."""
RIGHTS: Mapping[str, Accepted] = {
    "interrupt": Accepted.INTERRUPT,
    "close": Accepted.INTERRUPT,
    "approve": Accepted.ANSWER,
    "deny": Accepted.ANSWER,
    "answer": Accepted.ANSWER,
    "send": Accepted.SEND,
    "set": Accepted.SET,
    "continue": Accepted.CONTINUE,
}
"""The right that each command needs, if somebody else than the machine's owner asks."""
ANSWERS = ("approve", "deny", "answer")
"""The commands whose first argument is a request."""
FOR_SEVERAL = ("interrupt", "close", "set")
"""The commands that take several sessions."""
MAKERS = ("send", "continue")
"""The commands that make something, whose id they can take."""

_OUTPUT = ("--json", "--quiet", "-q")
# Without those that run a command, change permissions, or name a file of the machine.
_OPTIONS_OF_OTHERS: Mapping[str, tuple[str, ...]] = {
    "interrupt": ("--timeout", "--turn", "--no-wait"),
    "close": ("--no-wait",),
    "approve": ("--comment", "--always"),
    "deny": ("--message", "--comment", "--interrupt"),
    "answer": ("--question",),
    "send": ("--now", "--wait", "--timeout", "--file"),
    "set": ("--title", "--name", "--archive", "--unarchive", "--model", "--effort"),
    "continue": (
        "--title",
        "--name",
        "--model",
        "--effort",
        "--fallback-model",
        "--max-turns",
        "--max-budget-usd",
        "--timeout",
        "--wait",
        "--query-file",
    ),
}
SECRETS = ("--env", "--settings", "--mcp-config", "--agents")
"""Options whose values stay on their machine."""


def option_kept_from_others(line: CommandLine) -> str | None:
    """Return the first option that only the machine's owner may use there; None if there is none."""
    allowed = (*_OPTIONS_OF_OTHERS[line.path[0]], *_OUTPUT)
    for token in line.tokens:
        if token.option is not None and not token.is_option(*allowed):
            return token.words[0].partition("=")[0]
    return "--" if line.rest and line.path[0] == "continue" else None
