"""`hldctl stats`."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from hldctl.cli import output
from hldctl.cli.params import seconds
from hldctl.cli.render import stats_plain
from hldctl.cli.terminal import rich_console
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.store import statistics
from hldctl.store.database import reading
from hldctl.store.statistics import By, Sums

_FIELDS = (
    *("key", "sessions", "completed", "failed", "interrupted", "running", "success_rate", "cost_usd"),
    *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    *("num_turns", "duration_ms"),
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that spreadsheets evaluate: https://owasp.org/www-community/attacks/CSV_Injection."""


def command(
    by: Annotated[By, typer.Option(help="What sessions are grouped by.")] = By.DAY,
    since: Annotated[
        float | None, typer.Option(parser=seconds, metavar="DURATION", help="Only those started since then.")
    ] = None,
    archived: Annotated[bool, typer.Option("--all", help="Archived ones too; without it they do not count.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for a spreadsheet, the names first.")] = False,
) -> None:
    """Add up cost, tokens and time of sessions.

    Days are those of your time zone, on which the sessions were started, the earliest first; of all else the dearest
    comes first.

    Fields of --json and --csv: `key` (the day, model, … or null), `sessions`, of these `completed`, `failed`,
    `interrupted` and `running` (all that have not ended), `success_rate` (the completed among the ended, 0 to 1),
    `cost_usd`, `input_tokens`, `output_tokens`, `cache_creation_input_tokens`, `cache_read_input_tokens`,
    `num_turns`, `duration_ms`. What is not known is null, and empty in a table. In a table, a
    key that a spreadsheet would take for a formula has an apostrophe before it.
    """
    if as_json and as_csv:
        raise BadUsage("Say either --json or --csv.")
    state = StateDirectory.from_environment()
    with reading(state):
        supervisors.adopt_all_lost(state)
        created_since = None if since is None else int((time.time() - since) * 1000)
        found = statistics.sums(by, created_since=created_since, archived=archived)
    if as_json:
        output.json_value([_object(sums) for sums in found])
    elif as_csv:
        _print_csv(found)
    elif not found:
        output.note("no sessions" + (" since then" if since is not None else "; `hldctl launch` starts one"))
    elif rich_console.is_drawn():
        from hldctl.cli.render import stats_rich

        stats_rich.draw(by, found)
    else:
        stats_plain.print_plain(by, found)


def _object(sums: Sums) -> dict[str, Any]:
    return {name: getattr(sums, name) for name in _FIELDS}


def _print_csv(found: list[Sums]) -> None:
    import csv

    writer = csv.DictWriter(sys.stdout, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for sums in found:
        values = _object(sums)
        writer.writerow({**values, "key": None if sums.key is None else _cell(sums.key)})


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; an apostrophe says that it is text."""
    return f"'{output.harmless(text)}" if text.startswith(_FORMULA) else output.harmless(text)
