"""One session of each kind, with the same times and numbers in each run, for snapshots of screens."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

import pytest

from hldctl.system.processes import identify
from tests.helpers.fake_claude_conversation import read_program
from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.terminal import Terminal

SNAPSHOTS = Path(__file__).parents[1] / "cli" / "snapshots"

CLAUDE = read_program("sample_sessions.py")
"""A stand-in for Claude Code: words in the query decide how the session behaves."""

LAUNCHES = {
    "completed": ("Fix the parser", "--title", "Parser: reads 漢字 and wide 🎉 characters"),
    "failed": ("It fails",),
    "denied": ("It is denied", "--title", "Evil \x1b[2J\x1b[31mred\x07 \u202etitle", "--max-turns", "20"),
    "tool": ("Run the tests of the parser", "--name", "nightly", "--retries", "2", "--timeout", "9h"),
    "waiting": ("It asks before it pushes what it has done to the branch of somebody else",),
    "thinking": ("It ponders",),
    "restarting": ("It breaks", "--retries", "3"),
    "queued": ("It waits for the other", "--name", "nightly", "--if-running", "queue"),
}
"""The query and options of each kind, the oldest first. A word of the query decides what the stand-in does."""

KINDS = tuple(LAUNCHES)

HOUR_MS = 3_600_000
PADDING_MS = 30_000
"""How late a test may run before a time shown in minutes changes."""


@dataclass
class Gallery:
    """A sandbox with one session of each kind."""

    sandbox: Sandbox
    ids: dict[str, str] = field(default_factory=dict)

    def screen(self, *arguments: str, columns: int, lines: int) -> str:
        """Return the screen after a command, with fixed IDs and times."""
        fix_times(self)
        with Terminal(self.sandbox, *arguments, columns=columns, lines=lines) as terminal:
            code, _ = terminal.wait_for_exit()
            assert code == 0
            return self.replace_ids("\n".join(terminal.screen()))

    def replace_ids(self, text: str, form: Callable[[int], str] = "{:08d}".format) -> str:
        """Return a text with fixed IDs. `form` gives the first eight characters of the nth one."""
        for number, session_id in enumerate(self.ids.values(), 1):
            fixed_id = f"{form(number)}-1111-2222-3333-444444444444"
            text = text.replace(session_id, fixed_id).replace(session_id[:8], fixed_id[:8])
        return text.rstrip() + "\n"


def launch_gallery(sandbox: Sandbox, launches: Mapping[str, Sequence[str]] = LAUNCHES, claude: str = CLAUDE) -> Gallery:
    """Launch a session of each kind and wait until each has its final state."""
    sandbox.fake_claude(claude)
    # Paths have the same length in each run.
    sandbox.environment["HOME"] = str(sandbox.root)
    started = {}
    for kind in KINDS:
        started[kind] = sandbox.launch(*launches[kind])
        if kind == "restarting":
            # Immediately, because it would restart in five seconds.
            _postpone(sandbox, started[kind])
    gallery = Gallery(sandbox, started)
    sandbox.run("wait", started["completed"], started["failed"], started["denied"])
    calls = "SELECT 1 FROM conversation_events WHERE session_id IN (?, ?) AND tool_id = 't1'"
    callers = (started["tool"], started["waiting"])
    eventually(lambda: len(sandbox.sql(calls, *callers)) == 2, "both calls")
    # Then the first line of each stream, too, is on all screens.
    models = "SELECT count(*) FROM sessions WHERE model_id IS NOT NULL"
    eventually(lambda: sandbox.sql(models) == [(len(started) - 1,)], "the models")
    insert_request(sandbox, started["waiting"])
    return gallery


def _postpone(sandbox: Sandbox, session_id: str) -> None:
    planned = "SELECT restarts FROM sessions WHERE id = ? AND restarts IS NOT NULL"
    stored = eventually(lambda: sandbox.sql(planned, session_id), "the restart to be planned")[0][0]
    due = time.time_ns() // 1_000_000 + HOUR_MS
    restart = {**json.loads(stored)[0], "due": due}
    sandbox.sql("UPDATE sessions SET restarts = ? WHERE id = ?", json.dumps([restart]), session_id)


def fix_times(gallery: Gallery) -> None:
    """Set the start of the newest session to one hour ago, of the one before to two hours ago, and so on."""
    sql, ids = gallery.sandbox.sql, gallery.ids
    now = time.time_ns() // 1_000_000 - PADDING_MS
    for hours, session_id in enumerate(reversed(ids.values()), 1):
        created = now - hours * HOUR_MS
        sql(
            "UPDATE sessions SET created_at = ?1, started_at = ?1, last_activity_at = ?1 WHERE id = ?2",
            created,
            session_id,
        )
        sql(
            "UPDATE sessions SET completed_at = ?1 + coalesce(duration_ms, 0)"
            " WHERE id = ?2 AND completed_at IS NOT NULL",
            created,
            session_id,
        )
        sql("UPDATE conversation_events SET created_at = ? WHERE session_id = ?", created + HOUR_MS // 4, session_id)
    sql("UPDATE sessions SET started_at = NULL WHERE id = ?", ids["queued"])
    sql(
        "UPDATE sessions SET num_turns = 3, cost_usd = 1.5, context_window = 200000 WHERE id IN (?, ?)",
        *(ids["tool"], ids["waiting"]),
    )
    sql(
        "UPDATE sessions SET restarts = json_set(restarts, '$[0].due', ?) WHERE id = ?",
        *(now + 2 * PADDING_MS + 2 * HOUR_MS, ids["restarting"]),
    )
    sql("UPDATE approvals SET created_at = ?", now - 3 * HOUR_MS)


def insert_request(sandbox: Sandbox, session_id: str, approval_id: str = "a0a0a0a0-0000") -> None:
    """Insert a permission request whose hook process is this process."""
    hook = identify(os.getpid())
    assert hook is not None
    tool_input = json.dumps({"command": "git push --force"})
    sandbox.sql(
        "INSERT INTO approvals (id, session_id, run_id, tool_use_id, tool_name, tool_input, status, created_at,"
        " hook_pid, hook_started, boot_id) VALUES (?, ?, '', 't1', 'Bash', ?, 'pending', 0, ?, ?, ?)",
        *(approval_id, session_id, tool_input, hook.pid, hook.started, hook.boot_id),
    )
    sandbox.sql(
        "UPDATE sessions SET status = 'waiting_input', pending_approvals = pending_approvals + 1 WHERE id = ?",
        session_id,
    )


def compare_with_snapshot(name: str, screen: str) -> None:
    """Compare a screen with its snapshot. HLDCTL_RENEW_SCREENS=1 writes the snapshot."""
    compare_with_file(
        SNAPSHOTS / f"{name}.txt", screen, renew_variable="HLDCTL_RENEW_SCREENS", manual=SNAPSHOTS / "README.md"
    )


def compare_with_file(file: Path, actual: str, *, renew_variable: str, manual: Path) -> None:
    """Fail with a diff if the file has another text. Write the file if the variable is set."""
    if os.environ.get(renew_variable):
        file.parent.mkdir(exist_ok=True)
        file.write_text(actual)
    if not file.exists():
        pytest.fail(f"{file} is missing; see {manual}")
    if actual != (expected := file.read_text()):
        difference = unified_diff(expected.splitlines(), actual.splitlines(), "expected", "actual", lineterm="")
        pytest.fail("\n".join([f"{file} has another text; see {manual}", *difference]))
