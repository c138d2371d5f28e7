"""Time until `launch` returns, with the real Claude Code."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from benchmarks import claude_daemon
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import run_in_turn
from benchmarks.workspace import Workspace, hldctl_command
from tests.helpers.sandbox import Sandbox

_DAEMON_PAIRS = 9
_LISTING_PAIRS = 15


def measure(workspace: Workspace) -> Iterator[Metric]:
    with workspace.small_home() as sandbox:
        sandbox.serve_script("say Done.")
        ours, listings = run_in_turn(lambda: _launch(sandbox), hldctl_command(sandbox, "ls").wall_ms, _LISTING_PAIRS)
        against = Samples("hldctl ls", "ms", listings)
        yield Metric("launch, beside ls", Samples("hldctl launch", "ms", ours), against, paired=True)
        claude_daemon.prepare(sandbox)
        ours, theirs = run_in_turn(
            lambda: _launch(sandbox), lambda: claude_daemon.start_session(sandbox, _prompt()), _DAEMON_PAIRS
        )
        against = Samples("claude --bg, daemon warm", "ms", theirs)
        yield Metric("launch, beside claude --bg", Samples("hldctl launch", "ms", ours), against, paired=True)


def _launch(sandbox: Sandbox) -> float:
    """Return the milliseconds that `launch` took, after the session has ended and the machine is idle again."""
    launched = hldctl_command(sandbox, "launch", _prompt()).run()
    hldctl_command(sandbox, "wait", launched.output.strip()).run()
    claude_daemon.wait_until_idle(sandbox)
    return launched.wall_ms


_NUMBERS = count(1)


def _prompt() -> str:
    """Return a different prompt each time."""
    return f"Say done, {next(_NUMBERS):03}."
