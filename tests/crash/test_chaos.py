from __future__ import annotations

from tests.crash.chaos import run
from tests.helpers.sandbox import Sandbox


def test_random_kills_lose_and_duplicate_nothing(sandbox: Sandbox) -> None:
    report = run(sandbox, kills=25, seed=1)
    assert report.faults == []
    assert report.supervisors_killed == 25
    assert report.events > 100
