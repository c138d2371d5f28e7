"""`hldctl stats`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import typer

from hldctl.cli import elsewhere, output
from hldctl.cli.elsewhere import View
from hldctl.cli.params import seconds_parser
from hldctl.cli.render import stats_plain
from hldctl.cli.terminal import rich_console
from hldctl.contract.statistics import StatisticsObject
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.inspect.budgets import BudgetState, budget_object, load_budgets
from hldctl.sessions.permissions.caller import current_user_name
from hldctl.store import statistics
from hldctl.store.database import open_for_reading
from hldctl.store.session_list import Listing
from hldctl.store.statistics import GroupBy, Sums

_FIELDS = tuple(StatisticsObject.__annotations__)

# Spreadsheets evaluate a cell that begins with one of these: https://owasp.org/www-community/attacks/CSV_Injection.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


def command(
    by: Annotated[GroupBy, typer.Option(help="How to group sessions.")] = GroupBy.DAY,
    since: Annotated[
        float | None,
        typer.Option(parser=seconds_parser, metavar="DURATION", help="Only sessions started in this period, e.g. 7d."),
    ] = None,
    only_budgets: Annotated[
        bool, typer.Option("--budgets", help="Show only the budgets: what is spent, reserved and left.")
    ] = False,
    archived: Annotated[bool, typer.Option("--all", help="Include archived sessions.")] = False,
    fleet: elsewhere.InFleet = False,
    machine: elsewhere.OfMachine = None,
    owner: elsewhere.OfOwner = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header row, for a spreadsheet.")] = False,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Print metrics of all sessions here in the format of Prometheus.")
    ] = False,
) -> None:
    """Sum cost, tokens and time of sessions.

    A session counts on the day it was started, in your time zone. Days are sorted by date, all other groups by cost,
    the most expensive first.

    Fields of --json and --csv: `key` (the day, model, … or null), `sessions`, of these `completed`, `failed`,
    `interrupted` and `running` (all that have not ended), `success_rate` (completed / ended, 0 to 1), `cost_usd`,
    `input_tokens`, `output_tokens`, `cache_creation_input_tokens`, `cache_read_input_tokens`, `num_turns`,
    `duration_ms` (at work), `run_time_ms` (from start to end). Unknown values are null in JSON and empty in CSV. In
    CSV, a key that a spreadsheet would evaluate as a formula is prefixed with an apostrophe.

    If budgets are configured, they follow in a table of their own. Fields of --budgets with --json and --csv: `budget`
    (the key that sets it), `group`, `period`, `limit_usd`, `spent_usd`, `estimated_usd` (the part of it that is an
    estimate), `reserved_usd` (what running sessions may still spend), `rest_usd`, `since`, `until`, `rehearsed`.

    Metrics of --prometheus, all gauges: `hldctl_sessions` by `status`, `hldctl_cost_usd`, `hldctl_tokens` by `kind`,
    `hldctl_waiting_requests` by `kind`, `hldctl_oldest_waiting_request_seconds`, `hldctl_oldest_live_session_seconds`.
    """
    if as_json + as_csv + prometheus > 1:
        raise BadUsage("Use only one of --json, --csv and --prometheus.")
    created_since = None if since is None else int((time.time() - since) * 1000)
    whose = elsewhere.whose(fleet or None, machine, owner, can_list=False)
    if prometheus:
        if whose is not None or only_budgets or since is not None:
            raise BadUsage("--prometheus prints all sessions of this machine; it takes no other option.")
        _print_metrics()
        return
    if whose is not None and only_budgets:
        raise BadUsage("--budgets shows the budgets of this machine.")
    with elsewhere.list_view(whose, Listing(archived=archived, created_since=created_since), with_texts=False) as view:
        _print(view, by, _Form(only_budgets, archived, created_since, as_json, as_csv))


def _print_metrics() -> None:
    # Imported here: a table needs neither.
    from hldctl.cli.render import prometheus
    from hldctl.sessions.inspect.metrics import load_metrics

    state = StateDirectory.from_environment()
    with open_for_reading(state):
        supervisors.adopt_all_lost(state)
        metrics = load_metrics()
    for line in prometheus.lines(metrics):
        output.print_data(line)


class _Form(NamedTuple):
    only_budgets: bool
    archived: bool
    created_since: int | None
    as_json: bool
    as_csv: bool


def _print(view: View, by: GroupBy, form: _Form) -> None:
    state, (only_budgets, archived, created_since, as_json, as_csv) = view.state, form
    with open_for_reading(state):
        supervisors.adopt_all_lost(state)
        has_budgets = view.mirror is None and (only_budgets or not (as_json or as_csv))
        states = load_budgets() if has_budgets else []
        if only_budgets:
            _print_budgets(states, as_json=as_json, as_csv=as_csv)
            return
        sums_by_group = statistics.sums(by, created_since=created_since, archived=archived)
        if by in (GroupBy.MACHINE, GroupBy.OWNER):
            sums_by_group = statistics.merge(sums_by_group, lambda host: _machine_or_owner(view, by, host))
    if as_json:
        output.print_json([_object(sums) for sums in sums_by_group])
        return
    if as_csv:
        _print_csv(_FIELDS, map(_object, sums_by_group), "key")
        return
    if not sums_by_group:
        output.print_note(
            "no sessions" + (" in this period" if created_since is not None else "; `hldctl launch` starts one")
        )
    elif rich_console.can_draw():
        from hldctl.cli.render import stats_rich

        stats_rich.draw(by, sums_by_group)
    else:
        stats_plain.print_plain(by, sums_by_group)
    if states:
        output.print_data("")
        _print_budgets(states)


def _machine_or_owner(view: View, by: GroupBy, host: str | None) -> str | None:
    """Return the machine's name, or its owner, by the host of its sessions."""
    if view.mirror is None:
        return host if by is GroupBy.MACHINE else current_user_name()
    names = view.mirror.names_by_host() if by is GroupBy.MACHINE else view.mirror.owners_by_host()
    return names.get(host or "", host)


def _print_budgets(states: list[BudgetState], *, as_json: bool = False, as_csv: bool = False) -> None:
    if as_json:
        output.print_json([budget_object(state) for state in states])
    elif as_csv:
        _print_csv(BudgetState._fields, map(budget_object, states), "group")
    elif not states:
        output.print_note("no budgets; `hldctl config set budgets.daily_usd 10` sets one")
    else:
        from hldctl.cli.render import budgets

        if rich_console.can_draw():
            from hldctl.cli.render import budgets_rich

            budgets_rich.draw(states)
        else:
            budgets.print_plain(states)
        budgets.note_estimates(states)


def _object(sums: Sums) -> dict[str, Any]:
    return {name: getattr(sums, name) for name in _FIELDS}


def _print_csv(names: Sequence[str], objects: Iterable[Mapping[str, Any]], text: str) -> None:
    """Print the objects as CSV; the column `text` is one that the user has chosen."""
    import csv

    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    for values in objects:
        writer.writerow({**values, text: None if values[text] is None else _escape_formula(values[text])})


def _escape_formula(text: str) -> str:
    """Prefix text that a spreadsheet would evaluate as a formula with an apostrophe, which marks it as text."""
    return (
        f"'{output.escape_control_chars(text)}"
        if text.startswith(_FORMULA_PREFIXES)
        else output.escape_control_chars(text)
    )
