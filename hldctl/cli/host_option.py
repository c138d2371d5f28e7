"""The option `-H/--host`, which every command has: the machine on which it runs. See `hldctl.cli.remote`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAME, SHORT_NAME = "--host", "-H"
VARIABLE = "HLDCTL_HOST"


def may_name_host(words: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return False if the command certainly runs here, as most do; only otherwise the command line is taken apart."""
    return bool(environment.get(VARIABLE)) or any(
        word.startswith(NAME) or (word[:1] == "-" and word[:2] != "--" and SHORT_NAME[1] in word) for word in words
    )


def add_to(command: Any) -> Any:
    """Return the command of typer, and all below it, with the option. It is for the help: see `main`."""
    from typer.core import TyperOption

    option = TyperOption(
        param_decls=[NAME, SHORT_NAME],
        type=str,
        metavar="NAME",
        help=f"Run the command on this machine by ssh. Default: ${VARIABLE}.",
        expose_value=False,
    )
    command.params.append(option)
    for subcommand in getattr(command, "commands", {}).values():
        subcommand.params.append(option)
    return command
