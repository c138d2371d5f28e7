"""One session of each kind, with times and numbers that are always the same: what screens are compared with."""

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

SCREENS = Path(__file__).parents[1] / "cli" / "snapshots"

CLAUDE = read_program("sample_sessions.py")
"""A stand-in for Claude Code: words in the query decide how the session behaves."""

LAUNCHES = {
    "completed": ("Mend the parser", "--title", "Parser: reads 漢字 and wide 🎉 characters"),
    "failed": ("It fails",),
    "denied": ("It is denied", "--title", "Evil \x1b[2J\x1b[31mred\x07 \u202etitle", "--max-turns", "20"),
    "tool": ("Run the tests of the parser", "--name", "nightly", "--retries", "2", "--timeout", "9h"),
    "waiting": ("It asks before it pushes what it has done to the branch of somebody else",),
    "thinking": ("It ponders",),
    "restarting": ("It breaks", "--retries", "3"),
    "queued": ("It waits for the other", "--name", "nightly", "--if-running", "queue"),
}
"""By kind, the oldest first; a word of each query selects what the stand-in does."""

KINDS = tuple(LAUNCHES)

HOUR = 3_600_000
PADDING = 30_000
"""Milliseconds by which a test may be late before a clock without seconds shows it."""


@dataclass
class Gallery:
    sandbox: Sandbox
    ids: dict[str, str] = field(default_factory=dict)

    def screen(self, *arguments: str, columns: int, lines: int) -> str:
        """What a command leaves on a terminal, with ids and times that are always the same."""
        fix_times(self)
        with Terminal(self.sandbox, *arguments, columns=columns, lines=lines) as terminal:
            code, _ = terminal.ended()
            assert code == 0
            return self.named("\n".join(terminal.screen()))

    def named(self, text: str, form: Callable[[int], str] = "{:08d}".format) -> str:
        """With ids that are always the same, of which `form` gives the first eight characters."""
        for number, session_id in enumerate(self.ids.values(), 1):
            same = f"{form(number)}-1111-2222-3333-444444444444"
            text = text.replace(session_id, same).replace(session_id[:8], same[:8])
        return text.rstrip() + "\n"


def gallery(sandbox: Sandbox, launches: Mapping[str, Sequence[str]] = LAUNCHES, claude: str = CLAUDE) -> Gallery:
    sandbox.claude(claude)
    # Paths that are as long in each run.
    sandbox.environment["HOME"] = str(sandbox.root)
    started = {}
    for kind in KINDS:
        started[kind] = sandbox.launch(*launches[kind])
        if kind == "restarting":
            # At once: it restarts in five seconds.
            _postpone(sandbox, started[kind])
    made = Gallery(sandbox, started)
    sandbox.run("wait", started["completed"], started["failed"], started["denied"])
    calls = "SELECT 1 FROM conversation_events WHERE session_id IN (?, ?) AND tool_id = 't1'"
    asked = (started["tool"], started["waiting"])
    eventually(lambda: len(sandbox.sql(calls, *asked)) == 2, "both calls")
    # What its stream says first, too, is then on all screens.
    models = "SELECT count(*) FROM sessions WHERE model_id IS NOT NULL"
    eventually(lambda: sandbox.sql(models) == [(len(started) - 1,)], "the models")
    ask(sandbox, started["waiting"])
    return made


def _postpone(sandbox: Sandbox, session_id: str) -> None:
    decided = "SELECT restarts FROM sessions WHERE id = ? AND restarts IS NOT NULL"
    stored = eventually(lambda: sandbox.sql(decided, session_id), "the restart to be decided")[0][0]
    due = time.time_ns() // 1_000_000 + HOUR
    restart = {**json.loads(stored)[0], "due": due}
    sandbox.sql("UPDATE sessions SET restarts = ? WHERE id = ?", json.dumps([restart]), session_id)


def fix_times(made: Gallery) -> None:
    """The oldest began as many hours ago as there are sessions, the newest one hour."""
    sql, ids = made.sandbox.sql, made.ids
    now = time.time_ns() // 1_000_000 - PADDING
    for hours, session_id in enumerate(reversed(ids.values()), 1):
        created = now - hours * HOUR
        sql(
            "UPDATE sessions SET created_at = ?1, started_at = ?1, last_activity_at = ?1 WHERE id = ?2",
            created,
            session_id,
        )
        sql(
            "UPDATE sessions SET completed_at = ?1 + 1800000 WHERE id = ?2 AND completed_at IS NOT NULL",
            created,
            session_id,
        )
        sql("UPDATE conversation_events SET created_at = ? WHERE session_id = ?", created + HOUR // 4, session_id)
    sql("UPDATE sessions SET started_at = NULL WHERE id = ?", ids["queued"])
    sql(
        "UPDATE sessions SET num_turns = 3, cost_usd = 1.5, context_window = 200000 WHERE id IN (?, ?)",
        *(ids["tool"], ids["waiting"]),
    )
    sql(
        "UPDATE sessions SET restarts = json_set(restarts, '$[0].due', ?) WHERE id = ?",
        *(now + 2 * PADDING + 2 * HOUR, ids["restarting"]),
    )
    sql("UPDATE approvals SET created_at = ?", now - 3 * HOUR)


def ask(sandbox: Sandbox, session_id: str, approval_id: str = "a0a0a0a0-0000") -> None:
    """A request of a hook that lives as long as this process does."""
    hook = identify(os.getpid())
    assert hook is not None
    asked = json.dumps({"command": "git push --force"})
    sandbox.sql(
        "INSERT INTO approvals (id, session_id, run_id, tool_use_id, tool_name, tool_input, status, created_at,"
        " hook_pid, hook_started, boot_id) VALUES (?, ?, '', 't1', 'Bash', ?, 'pending', 0, ?, ?, ?)",
        *(approval_id, session_id, asked, hook.pid, hook.started, hook.boot_id),
    )
    sandbox.sql(
        "UPDATE sessions SET status = 'waiting_input', pending_approvals = pending_approvals + 1 WHERE id = ?",
        session_id,
    )


def compare(name: str, shown: str) -> None:
    """With the file of that name; HLDCTL_RENEW_SCREENS=1 renews it."""
    compare_with(SCREENS / f"{name}.txt", shown, renewed_by="HLDCTL_RENEW_SCREENS", told_in=SCREENS / "README.md")


def compare_with(file: Path, shown: str, *, renewed_by: str, told_in: Path) -> None:
    if os.environ.get(renewed_by):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown)
    if not file.exists():
        pytest.fail(f"{file} is missing; see {told_in}")
    if shown != (expected := file.read_text()):
        difference = unified_diff(expected.splitlines(), shown.splitlines(), "expected", "shown", lineterm="")
        pytest.fail("\n".join([f"{file} shows something else; see {told_in}", *difference]))
