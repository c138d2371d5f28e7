"""Full-text search in a database with years of sessions, compared with `ls`, and the building of its index."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import apsw

from benchmarks import stream
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import run_in_turn
from benchmarks.workspace import FIRST_ID, Workspace, hldctl_command
from tests.helpers.sandbox import Sandbox

_TIMES = 15
# Texts of the seeded events: two thirds of them have "parser", and the others "make".
_SEARCHES = {
    "a rare word": ("zirconium",),
    "a frequent word": ("parser",),
    "two words": ("parser", "fixed"),
    "two words that never meet": ("parser", "make"),
    "a phrase": ("ran the tests",),
    "the beginning of a frequent word": ("pars*",),
    "a frequent word of a session": ("parser", "--session", FIRST_ID),
    "a frequent word, role and tool": ("parser", "--role", "user", "--tool", "Bash"),
    "a frequent word since an hour": ("parser", "--since", "1h"),
}
_RARE = """
print(json.dumps({"type": "assistant", "message": {"content": [{"type": "text", "text": "It is zirconium."}]}}))
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}))
"""
# A writer of the database, as a supervisor is, writes this often.
_WRITE_SECONDS = 0.005
_QUIET_SECONDS = 10.0


def measure(workspace: Workspace) -> Iterator[Metric]:
    large = workspace.large_home()
    large.fake_claude(_RARE)
    large.ok("launch", "Which metal is it?", "--wait")
    large.state.search_index.unlink(missing_ok=True)
    quiet_ms = _longest_write_ms(large, None)
    started = time.perf_counter()
    building = subprocess.Popen(
        [sys.executable, "-m", "hldctl", "search", "zirconium"], env=large.environment, stdout=subprocess.DEVNULL
    )
    busy_ms = _longest_write_ms(large, building)
    seconds = time.perf_counter() - started
    yield Metric("building the index", Samples("2,000,000 events", "s", (seconds,)))
    yield Metric(
        "longest write", Samples("while it is built", "ms", (busy_ms,)), Samples("nothing is built", "ms", (quiet_ms,))
    )
    sizes = [path.stat().st_size / 1e6 for path in (large.state.search_index, large.state.database)]
    yield Metric("size", Samples("index", "MB", (sizes[0],)), Samples("database", "MB", (sizes[1],)))
    for name, arguments in _SEARCHES.items():
        search = hldctl_command(large, "search", *arguments)
        ours, against = run_in_turn(search.cpu_ms, hldctl_command(large, "ls").cpu_ms, _TIMES)
        yield Metric(name, Samples("processor, search", "ms", ours), Samples("ls", "ms", against), paired=True)
    yield Metric("after a burst", Samples("50,000 lines of 1 kB indexed", "s", (_seconds_after_burst(workspace),)))


def _longest_write_ms(sandbox: Sandbox, building: subprocess.Popen[bytes] | None) -> float:
    """Return the longest of many small writes, until the process has ended or for ten seconds."""
    longest = 0.0
    deadline = time.monotonic() + _QUIET_SECONDS
    with closing(apsw.Connection(str(sandbox.state.database))) as database:
        database.set_busy_timeout(60_000)
        database.execute("PRAGMA synchronous = NORMAL")
        while (building is None and time.monotonic() < deadline) or (building is not None and building.poll() is None):
            started = time.perf_counter()
            database.execute("UPDATE sessions SET last_activity_at = last_activity_at WHERE id = ?", (FIRST_ID,))
            longest = max(longest, time.perf_counter() - started)
            time.sleep(_WRITE_SECONDS)
    return longest * 1000


def _seconds_after_burst(workspace: Workspace) -> float:
    """Return how long a search takes that has to index a burst."""
    with workspace.empty_home() as sandbox:
        stream.install_burst_writer(sandbox)
        sandbox.ok("launch", "Write")
        sandbox.run("wait", "last")
        return hldctl_command(sandbox, "search", "parser").wall_ms() / 1000
