from __future__ import annotations

from tests.crash.dependency_storm import run
from tests.helpers.sandbox import Sandbox


def test_random_kills_start_no_session_early_or_twice(sandbox: Sandbox) -> None:
    report = run(sandbox, kills=10, seed=1, sessions=10)
    assert report.faults == []
    assert report.supervisors_killed == 10
    assert report.started == 10
