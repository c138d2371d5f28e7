"""Launches that race for the last dollars of a budget."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.budget_race import LIMIT_USD, race


def test_limit_is_never_passed(tmp_path: Path) -> None:
    results = race(tmp_path, launches=8, rounds=5)
    assert all(most <= LIMIT_USD + 1e-9 for most, _, _ in results)
    assert all(starts >= 3 for _, _, starts in results)
