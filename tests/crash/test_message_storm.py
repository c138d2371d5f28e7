from __future__ import annotations

from tests.crash.message_storm import run
from tests.helpers.sandbox import Sandbox


def test_random_kills_lose_and_double_no_message(sandbox: Sandbox) -> None:
    report = run(sandbox, kills=15, seed=1)
    assert report.faults == []
    assert report.kills == 15
    assert report.acknowledged > 0
