"""A long session costs its supervisor no more than a short one; tests.long_lives.measure has the full size."""

from __future__ import annotations

import psutil

from hldctl.store.session import Session
from hldctl.supervisor.fold import Snapshot
from hldctl.supervisor.snapshots import Snapshots
from tests.long_lives.life import live
from tests.sandbox import Sandbox

MEGABYTE = 1 << 20


def test_a_session_of_many_events_neither_grows_nor_lets_the_log_grow(sandbox: Sandbox) -> None:
    # The first part is long enough for batches of all sizes, up to the largest, to have been met in it.
    life = live(sandbox, events=160_000, length=50, early=80_000)
    assert life.events == 160_001
    assert life.growth < 2 * MEGABYTE
    assert life.late.descriptors <= life.early.descriptors
    assert life.largest_log < 32 * MEGABYTE
    assert life.faults == []


def test_nor_does_one_of_long_lines(sandbox: Sandbox) -> None:
    life = live(sandbox, events=500, length=100_000, early=150)
    assert life.journal > 35 * MEGABYTE
    assert life.growth < 4 * MEGABYTE
    assert life.late.descriptors <= life.early.descriptors
    assert life.largest_log < 32 * MEGABYTE
    assert life.faults == []


def test_nor_does_reading_directories_and_what_is_gone_cost_descriptors(sandbox: Sandbox) -> None:
    files = sandbox.files("session")
    files.directory.mkdir(parents=True)
    taken = Snapshots(Session(id="session", working_dir=str(sandbox.work), additional_directories=[]), files)
    before = psutil.Process().num_fds()
    for number in range(50):
        for path in (".", "gone"):
            assert taken.row(Snapshot(f"{path}{number}", path, "shown", whole=False, created_at=0)).content == "shown"
    assert psutil.Process().num_fds() == before
