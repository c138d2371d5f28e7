"""`hldctl schema`."""

from __future__ import annotations

import json
from importlib import resources
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.errors import BadUsage

_FOLDER = resources.files("hldctl.contract") / "schemas"


def command(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The schema to print.")] = None,
) -> None:
    """Print the JSON Schema of what --json prints.

    Without a name, list the schemas. They are of draft 2020-12. docs/reference/json.md says what scripts can rely on.
    """
    names = sorted(file.name.removesuffix(".json") for file in _FOLDER.iterdir() if file.name.endswith(".json"))
    if name is None:
        output.print_table(("NAME", "DESCRIPTION"), [(each, json.loads(_text(each))["description"]) for each in names])
        return
    if name not in names:
        raise BadUsage(f"{name!r} is not a schema; choose one of {', '.join(names)}.")
    output.print_data(_text(name).rstrip("\n"))


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.json").read_text(encoding="utf-8")
