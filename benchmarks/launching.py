"""Until a session of the genuine Claude Code runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from benchmarks import claude_daemon
from benchmarks.figure import Figure
from benchmarks.place import Place, hldctl
from benchmarks.samples import Samples
from benchmarks.timing import paired
from tests.helpers.sandbox import Sandbox

_BESIDE_THE_DAEMON = 9
_BESIDE_A_LISTING = 15


def measure(place: Place) -> Iterator[Figure]:
    with place.of_a_day() as sandbox:
        sandbox.play("say Done.")
        ours, listings = paired(lambda: _launch(sandbox), hldctl(sandbox, "ls").wall_ms, _BESIDE_A_LISTING)
        against = Samples("hldctl ls", "ms", listings)
        yield Figure("launch, beside ls", Samples("hldctl launch", "ms", ours), against, paired=True)
        claude_daemon.prepare(sandbox)
        ours, theirs = paired(
            lambda: _launch(sandbox), lambda: claude_daemon.begin(sandbox, _prompt()), _BESIDE_THE_DAEMON
        )
        against = Samples("claude --bg, daemon warm", "ms", theirs)
        yield Figure("launch, beside claude --bg", Samples("hldctl launch", "ms", ours), against, paired=True)


def _launch(sandbox: Sandbox) -> float:
    """The session has ended, and the machine is free again, before this returns."""
    launched = hldctl(sandbox, "launch", _prompt()).run()
    hldctl(sandbox, "wait", launched.output.strip()).run()
    claude_daemon.calm(sandbox)
    return launched.wall_ms


_NUMBERS = count(1)


def _prompt() -> str:
    """Another one each time."""
    return f"Say done, {next(_NUMBERS):03}."
