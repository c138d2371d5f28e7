"""What a session has spent and when, from the lines of its journal.

A `result` line says what its turn cost. The turn's messages say when: the cost is divided among the quarters of an hour
in proportion to an estimate, so that a turn that runs over midnight counts on both days. The messages of a run that
ends without a `result` count with the estimate itself.
"""

from __future__ import annotations

from typing import NamedTuple

from hldctl.claude.prices import estimate
from hldctl.claude.stream import JsonObject
from hldctl.claude.usage import Tokens
from hldctl.ingest.state import ReducerState

# Local midnights and changes of the clock are at multiples of it, in all time zones of today.
_QUARTER_MS = 900_000
# The state is stored with each step. A turn of two days has fewer.
_MAX_QUARTERS = 200
# Any later digits are errors of the difference of two totals.
_DECIMALS = 10


class Spent(NamedTuple):
    """An amount that was spent. Replaying the journal gives the same ones."""

    position: int
    """The number of the journal's line that shows it."""
    at: int
    """The beginning of the quarter of an hour, in milliseconds since 1970."""
    cost_usd: float
    is_estimate: bool


def add_message(state: ReducerState, message: JsonObject, tokens: Tokens | None, characters: int, at: int) -> None:
    """Add the estimated cost of a part of a message; `tokens` is the message's usage if this is the first part."""
    cost_usd = estimate(message, tokens, characters)
    if cost_usd <= 0:
        return
    estimates, quarter = state.estimated_usd, str(at - at % _QUARTER_MS)
    if quarter in estimates:
        estimates[quarter] += cost_usd
    elif len(estimates) < _MAX_QUARTERS:
        estimates[quarter] = cost_usd
    else:
        estimates[next(reversed(estimates))] += cost_usd


def settle_result(state: ReducerState, cost_usd: float | None, cost_before: float | None, at: int) -> list[Spent]:
    """Return what was spent since the last result; the arguments are the session's cost by this one and the last one.

    An interrupted answer is in no total of Claude Code, although it was billed: it counts with its estimate.
    """
    increase = (cost_usd or 0.0) - (cost_before or 0.0)
    if increase < 0:
        # Another conversation: Claude Code has begun to count again.
        increase = cost_usd or 0.0
    if increase <= 0:
        return settle_rest(state)
    estimates, state.estimated_usd = state.estimated_usd, {}
    total = sum(estimates.values())
    if total <= 0:
        return [Spent(state.lines, _quarter(at), round(increase, _DECIMALS), is_estimate=False)]
    return [
        Spent(state.lines, int(quarter), round(increase * estimate / total, _DECIMALS), is_estimate=False)
        for quarter, estimate in estimates.items()
    ]


def settle_rest(state: ReducerState) -> list[Spent]:
    """Return the estimate of what was spent since the last result, after which there is none."""
    estimates, state.estimated_usd = state.estimated_usd, {}
    return [Spent(state.lines, int(quarter), estimate, is_estimate=True) for quarter, estimate in estimates.items()]


def _quarter(at: int) -> int:
    return at - at % _QUARTER_MS
