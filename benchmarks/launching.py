"""Until a session of the genuine Claude Code runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from benchmarks import claude_daemon
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import run_in_turn
from benchmarks.workspace import Workspace, hldctl_command
from tests.helpers.sandbox import Sandbox

_BESIDE_THE_DAEMON = 9
_BESIDE_A_LISTING = 15


def measure(place: Workspace) -> Iterator[Metric]:
    with place.of_a_day() as sandbox:
        sandbox.play("say Done.")
        ours, listings = run_in_turn(lambda: _launch(sandbox), hldctl_command(sandbox, "ls").wall_ms, _BESIDE_A_LISTING)
        against = Samples("hldctl ls", "ms", listings)
        yield Metric("launch, beside ls", Samples("hldctl launch", "ms", ours), against, paired=True)
        claude_daemon.prepare(sandbox)
        ours, theirs = run_in_turn(
            lambda: _launch(sandbox), lambda: claude_daemon.start_session(sandbox, _prompt()), _BESIDE_THE_DAEMON
        )
        against = Samples("claude --bg, daemon warm", "ms", theirs)
        yield Metric("launch, beside claude --bg", Samples("hldctl launch", "ms", ours), against, paired=True)


def _launch(sandbox: Sandbox) -> float:
    """The session has ended, and the machine is free again, before this returns."""
    launched = hldctl_command(sandbox, "launch", _prompt()).run()
    hldctl_command(sandbox, "wait", launched.output.strip()).run()
    claude_daemon.wait_until_idle(sandbox)
    return launched.wall_ms


_NUMBERS = count(1)


def _prompt() -> str:
    """Another one each time."""
    return f"Say done, {next(_NUMBERS):03}."
