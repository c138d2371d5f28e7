"""Commands that read, and a whole session, beside Claude Code's own."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import claude_daemon
from benchmarks.claude_daemon import claude
from benchmarks.commands import READING
from benchmarks.figure import Figure
from benchmarks.place import Place, hldctl
from benchmarks.samples import Samples
from benchmarks.timing import paired

_LISTINGS = 11
_SESSIONS = 7


def measure(place: Place) -> Iterator[Figure]:
    with place.of_a_day() as sandbox:
        sandbox.play("say Done.")
        claude_daemon.prepare(sandbox)
        listing = claude(sandbox, "agents", "--json")
        for name, words in READING.items():
            ours, theirs = paired(hldctl(sandbox, *words).wall_ms, listing.wall_ms, _LISTINGS)
            against = Samples("claude agents --json", "ms", theirs)
            yield Figure(name, Samples(f"hldctl {name}", "ms", ours), against, paired=True)
        claude_daemon.end(sandbox)
        waited, alone = hldctl(sandbox, "launch", "--wait", "Hello"), claude(sandbox, "-p", "Hello")
        ours, theirs = paired(waited.wall_ms, alone.wall_ms, _SESSIONS)
        against = Samples("claude -p", "ms", theirs)
        yield Figure("a whole session", Samples("hldctl launch --wait", "ms", ours), against, paired=True)
