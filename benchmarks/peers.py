"""Read commands and a whole session, compared with Claude Code's own commands."""

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


def measure(workspace: Workspace) -> Iterator[Metric]:
    with workspace.small_home() as sandbox:
        sandbox.serve_script("say Done.")
        claude_daemon.prepare(sandbox)
        listing = claude_command(sandbox, "agents", "--json")
        for name, arguments in READ_COMMANDS.items():
            ours, theirs = run_in_turn(hldctl_command(sandbox, *arguments).wall_ms, listing.wall_ms, _LISTINGS)
            against = Samples("claude agents --json", "ms", theirs)
            yield Metric(name, Samples(f"hldctl {name}", "ms", ours), against, paired=True)
        claude_daemon.stop_daemon(sandbox)
        launch, claude = hldctl_command(sandbox, "launch", "--wait", "Hello"), claude_command(sandbox, "-p", "Hello")
        ours, theirs = run_in_turn(launch.wall_ms, claude.wall_ms, _SESSIONS)
        against = Samples("claude -p", "ms", theirs)
        yield Metric("a whole session", Samples("hldctl launch --wait", "ms", ours), against, paired=True)
