"""`hldctl fleet prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hldctl.cli import output
from hldctl.cli.commands import prune as prune_command
from hldctl.cli.params import age_parser
from hldctl.cli.terminal.progress import show_progress
from hldctl.contract.machine import RemovalObject
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory

if TYPE_CHECKING:
    from hldctl.fleet.record.pruning import Removal

_MONTH = "%Y-%m"


def command(
    older_than: Annotated[
        float | None, typer.Option(parser=age_parser, metavar="AGE", help="Only what ended longer ago than this.")
    ] = None,
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="The record; default: the one of this machine.")
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Only the conversations; the sessions stay.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be removed.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="At a terminal: remove without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Remove from the record what is old: sessions that ended with all they have, intents, and machines that left.

    The databases of the machines stay as they are. Run it as the owner of the record. Links may write at the same time.
    At a terminal, ask first.
    """
    if older_than is None:
        raise BadUsage("Specify what to remove: --older-than 90d.")
    from hldctl.fleet import retention
    from hldctl.fleet.record.pruning import Removal

    def run(*, is_dry: bool) -> Removal:
        removal = Removal()
        steps = retention.prune(
            StateDirectory.from_environment(), url, older_than_seconds=older_than, only_events=events, dry_run=is_dry
        )
        described = show_progress(steps, lambda n: f"pruned {n} sessions", lambda s: s.sessions, prints_items=False)
        for step in described:
            removal = removal.plus(step)
        return removal

    if not dry_run and not force and prune_command.can_ask():
        expected = _describe(run(is_dry=True), only_events=events)
        if not prune_command.confirm(f"this removes {expected} from the record for all machines. Remove?"):
            output.print_note("nothing was removed")
            return
    removal = run(is_dry=dry_run)
    if as_json:
        output.print_json(_object(removal, dry_run=dry_run))
    else:
        output.print_note(f"{'would remove' if dry_run else 'removed'} {_describe(removal, only_events=events)}")
    if busy := removal.busy_months:
        months = " and ".join(month.strftime(_MONTH) for month in busy)
        output.print_note(f"the events of {months} are in use and not removed yet; run it again")


def _object(removal: Removal, *, dry_run: bool) -> RemovalObject:
    return {
        "dry_run": dry_run,
        "sessions": removal.sessions,
        "months": [month.strftime(_MONTH) for month in removal.months],
        "intents": removal.intents,
        "machines": list(removal.machines),
        "busy_months": [month.strftime(_MONTH) for month in removal.busy_months],
    }


def _describe(removal: Removal, *, only_events: bool) -> str:
    parts = [_number(removal.sessions, "session"), f"{_number(len(removal.months), 'whole month')} of events"]
    if only_events:
        return f"the events of {parts[0]}, and {parts[1]}"
    parts += [_number(removal.intents, "intent"), _number(len(removal.machines), "machine")]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
