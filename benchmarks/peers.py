"""Commands that read, and a whole session, beside Claude Code's own."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import claude_daemon
from benchmarks.claude_daemon import claude_command
from benchmarks.commands import READ_COMMANDS
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import run_in_turn
from benchmarks.workspace import Workspace, hldctl_command

_LISTINGS = 11
_SESSIONS = 7


def measure(place: Workspace) -> Iterator[Metric]:
    with place.of_a_day() as sandbox:
        sandbox.play("say Done.")
        claude_daemon.prepare(sandbox)
        listing = claude_command(sandbox, "agents", "--json")
        for name, words in READ_COMMANDS.items():
            ours, theirs = run_in_turn(hldctl_command(sandbox, *words).wall_ms, listing.wall_ms, _LISTINGS)
            against = Samples("claude agents --json", "ms", theirs)
            yield Metric(name, Samples(f"hldctl {name}", "ms", ours), against, paired=True)
        claude_daemon.stop_daemon(sandbox)
        waited, alone = hldctl_command(sandbox, "launch", "--wait", "Hello"), claude_command(sandbox, "-p", "Hello")
        ours, theirs = run_in_turn(waited.wall_ms, alone.wall_ms, _SESSIONS)
        against = Samples("claude -p", "ms", theirs)
        yield Metric("a whole session", Samples("hldctl launch --wait", "ms", ours), against, paired=True)
