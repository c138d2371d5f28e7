"""What the lines of a journal say about money: how much was spent, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hldctl.ingest.reducer import Reducer
from hldctl.ingest.spending import Spent
from hldctl.ingest.state import ReducerState
from hldctl.protocol.restart import Restart
from hldctl.states import RestartKind

QUARTER_MS = 900_000
MIDNIGHT_MS = 1_790_208_000_000
"""2026-09-24 00:00 UTC."""


def answer(number: int, *, model: str = "claude-opus-4-8", text: str = "ok", **usage: int) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    message = {"id": f"msg_{number}", "role": "assistant", "model": model, "content": content, "usage": usage}
    return {"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": "claude-1"}


def result(cost: float | None, **new: float) -> dict[str, Any]:
    line: dict[str, Any] = {"type": "result", "subtype": "success", "num_turns": 1, "duration_ms": 1}
    if cost is not None:
        line["total_cost_usd"] = cost
    if new:
        line["model_usage_since_last_result"] = {"m": {"costUSD": new["new"]}}
    return line


def spent(*lines: tuple[int, dict[str, Any]], ended: bool = False) -> list[Spent]:
    """Return what was spent according to lines with their times of arrival, in milliseconds after midnight."""
    fold = Reducer("session", ReducerState())
    for after_ms, line in lines:
        fold.apply(json.dumps(line).encode(), MIDNIGHT_MS + after_ms)
    if ended:
        fold.settle()
    return fold.spent


def test_each_result_adds_what_the_total_has_grown() -> None:
    amounts = spent((0, result(1.0)), (5 * QUARTER_MS, result(1.5)), (6 * QUARTER_MS, result(1.5)))
    assert amounts == [
        Spent(1, MIDNIGHT_MS, 1.0, is_estimate=False),
        Spent(2, MIDNIGHT_MS + 5 * QUARTER_MS, 0.5, is_estimate=False),
    ]


def test_turn_over_midnight_is_divided_by_its_messages() -> None:
    before, after = answer(1, input_tokens=300_000), answer(2, input_tokens=100_000)
    amounts = spent((-1, before), (0, after), (1, result(4.0)))
    assert [(each.at, round(each.cost_usd, 3)) for each in amounts] == [
        (MIDNIGHT_MS - QUARTER_MS, 3.0),
        (MIDNIGHT_MS, 1.0),
    ]


def test_continuation_does_not_count_its_parent() -> None:
    assert [each.cost_usd for each in spent((0, result(5.0, new=2.0)), (1, result(6.0)))] == [2.0, 1.0]


def test_total_that_begins_again_counts_from_zero() -> None:
    assert [each.cost_usd for each in spent((0, result(5.0)), (1, result(2.0)))] == [5.0, 2.0]


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("claude-opus-4-8", 5 + 25 + 6.25 + 0.5),
        ("claude-opus-4-1-20250805", 15 + 75 + 18.75 + 1.5),
        ("claude-sonnet-5[1m]", 3 + 15 + 3.75 + 0.3),
        ("claude-haiku-4-5-20251001", 1 + 5 + 1.25 + 0.1),
        # The most expensive one, because an estimate should not be too low.
        ("someone-elses-model", 10 + 50 + 12.5 + 1.0),
    ],
)
def test_run_without_a_result_counts_with_an_estimate(model: str, dollars: float) -> None:
    names = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    line = answer(1, model=model)
    line["message"]["usage"] = dict.fromkeys(names, 1_000_000)
    # Claude Code repeats a message's usage with each of its blocks.
    (amount,) = spent((0, line), (1, line), ended=True)
    assert (round(amount.cost_usd, 4), amount.is_estimate) == (dollars, True)


def test_cache_that_is_kept_for_an_hour_costs_twice_its_input() -> None:
    line = answer(1, cache_creation_input_tokens=1_000_000)
    line["message"]["usage"]["cache_creation"] = {"ephemeral_1h_input_tokens": 1_000_000}
    (amount,) = spent((0, line), ended=True)
    assert round(amount.cost_usd, 4) == 10


def test_length_of_an_answer_stands_for_tokens_that_are_not_reported() -> None:
    (amount,) = spent((0, answer(1, text="x" * 4_000_000, output_tokens=1)), ended=True)
    assert round(amount.cost_usd, 4) == 25


def test_interrupted_answer_counts_although_its_result_has_no_cost() -> None:
    line = answer(2, input_tokens=1_000_000)
    first, second = spent((0, result(1.0)), (1, line), (2, result(1.0)))
    assert (first.is_estimate, second.is_estimate, round(second.cost_usd, 4)) == (False, True, 5)


def test_crashed_run_is_counted_once_when_the_next_run_begins() -> None:
    fold = Reducer("session", ReducerState())
    fold.apply(json.dumps(answer(1, input_tokens=1_000_000)).encode(), MIDNIGHT_MS)
    assert fold.settle()
    fold.begin_run(Restart(RestartKind.RETRY, 0, 0, 0, "crash", "note"))
    fold.apply(json.dumps(result(0.25)).encode(), MIDNIGHT_MS)
    assert [(round(each.cost_usd, 4), each.is_estimate) for each in fold.spent] == [(5.0, True), (0.25, False)]


def test_state_of_a_turn_of_many_days_stays_small() -> None:
    lines = [(number * QUARTER_MS, answer(number, input_tokens=1000)) for number in range(1000)]
    amounts = spent(*lines, (1000 * QUARTER_MS, result(10.0)))
    assert len(amounts) == 200
    assert round(sum(each.cost_usd for each in amounts), 6) == 10.0
