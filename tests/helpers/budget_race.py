"""Processes that launch sessions at the same moment, each with its own connection, for the last dollars of a budget.

`python -m tests.helpers.budget_race 50 100` runs 100 rounds of 50 launches.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import uuid4

from hldctl.paths import StateDirectory
from hldctl.states import EndReason, IfRunning, Status
from hldctl.store import events, sessions
from hldctl.store.admission import scheduler
from hldctl.store.admission.rules import Rules
from hldctl.store.admission.scheduler import NewSession
from hldctl.store.budgets.limits import Budgets, Limit
from hldctl.store.connection import execute, is_open
from hldctl.store.database import open_database
from hldctl.store.events import Step
from hldctl.store.session import COLUMNS
from hldctl.store.sessions import Ending
from hldctl.system.clock import current_time_ms
from hldctl.system.periods import Period
from hldctl.system.processes import pid_scope
from tests.helpers.seed_database import session_row

LIMIT_USD = 10.0
_BARRIER_SECONDS = 120


def new_session(**columns: Any) -> NewSession:
    """Return the rows of a session to be launched now."""
    now, session_id = current_time_ms(), str(uuid4())
    here = {"host": os.uname().nodename, "boot_id": pid_scope(), "claude_session_id": None}
    fresh = {"completed_at": None, "end_reason": None, "cost_usd": None, "status": str(Status.STARTING)}
    flags: tuple[str, ...] = (
        "rehearsed",
        "on_end_pending",
        "is_closing",
        "wait_for_reset",
        "fail_on_denial",
        "keep_open",
        "private",
    )
    flags += ("was_queued", "from_session", "approvals")
    zeros = dict.fromkeys(("retries", "pending_approvals", "pending_messages"), 0) | {"check_tries": 3}
    row = dict.fromkeys(COLUMNS) | session_row(session_id, now) | here | fresh | dict.fromkeys(flags, False) | zeros
    row |= {"id": session_id, "run_id": session_id, **columns}
    query = {"session_id": session_id, "sequence": 1, "event_type": "message", "role": "user", "content": "q"}
    return NewSession(row, {**query, "is_error": 0, "is_completed": 0, "created_at": now}, [])


def spend(session_id: str, cost_usd: float, *, position: int = 1, at: int | None = None) -> None:
    """Record a cost, as the ingester does."""
    now = current_time_ms() if at is None else at
    columns = {"cost_usd": cost_usd, "journal_offset": position}
    events.record(session_id, "run", Step([], [], [], [], columns, spent=[(position, now, cost_usd, False)]), now)


def race(home: Path, launches: int, rounds: int) -> list[tuple[float, float, int]]:
    """Return, for each round, the most that was spent or reserved at once, what was spent at last, and the starts."""
    # A fork would share the connection.
    assert not is_open()
    barrier = multiprocessing.get_context("fork").Barrier(launches + 1)
    with open_database(StateDirectory(home)):
        pass
    workers = [
        multiprocessing.get_context("fork").Process(target=_work, args=(home, number, rounds, barrier))
        for number in range(launches)
    ]
    for worker in workers:
        worker.start()
    results = []
    for number in range(rounds):
        barrier.wait(_BARRIER_SECONDS)
        # All launch here.
        barrier.wait(_BARRIER_SECONDS)
        most, _, _ = _measure(home, number)
        barrier.wait(_BARRIER_SECONDS)
        # Those that started spend and end, while the others try again.
        barrier.wait(_BARRIER_SECONDS)
        at_last, spent, starts = _measure(home, number)
        results.append((max(most, at_last), spent, starts))
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    return results


def _rules(number: int) -> Rules:
    return Rules(budgets=Budgets((Limit(f"round-{number}", Period.MONTHLY, LIMIT_USD),), reserve_usd=1.0))


def _work(home: Path, worker: int, rounds: int, barrier: Barrier) -> None:
    chance = random.Random(worker)
    for number in range(rounds):
        limit = chance.choice([None, 0.5, 1.0, 3.0])
        new = new_session(group_name=f"round-{number}", max_budget_usd=limit)
        with open_database(StateDirectory(home)):
            execute("SELECT count(*) FROM sessions").fetchall()
            barrier.wait(_BARRIER_SECONDS)
            started = scheduler.admit(new, IfRunning.FAIL, _rules(number)).status is Status.STARTING
            barrier.wait(_BARRIER_SECONDS)
            barrier.wait(_BARRIER_SECONDS)
            if not started:
                started = scheduler.try_start(new.row["id"], _rules(number), current_time_ms())
            if started:
                spend(new.row["id"], chance.uniform(0, limit or 1.0))
            ending = Ending(Status.COMPLETED, EndReason.SUCCESS)
            sessions.end(new.row["id"], ending, current_time_ms())
            barrier.wait(_BARRIER_SECONDS)


_RESERVED = """
SELECT coalesce(sum(coalesce(max_budget_usd, 1.0)), 0) FROM sessions
WHERE group_name = ? AND completed_at IS NULL AND status <> 'queued'
"""


def _measure(home: Path, number: int) -> tuple[float, float, int]:
    group = (f"round-{number}",)
    with open_database(StateDirectory(home)):
        spent, starts = execute(
            "SELECT coalesce(sum(cost_usd), 0), count(*) FROM spending WHERE group_name = ?", group
        ).fetchone()
        reserved = execute(_RESERVED, group).fetchone()[0]
    return spent + reserved, spent, starts


def main(launches: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        began = time.monotonic()
        results = race(Path(home), launches, rounds)
    most = [result[0] for result in results]
    starts = [result[2] for result in results]
    passed = sum(amount > LIMIT_USD + 1e-9 for amount in most)
    print(
        f"{rounds} rounds of {launches} launches in {time.monotonic() - began:.0f} s: limit passed {passed} times; "
        f"spent and reserved ${min(most):.2f} to ${max(most):.2f} of ${LIMIT_USD:.2f}; "
        f"{min(starts)} to {max(starts)} sessions started in each"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
