"""The JSON objects of `stats`."""

from __future__ import annotations

from typing import TypedDict

from hldctl.contract.timestamp import Timestamp


class StatisticsObject(TypedDict):
    """The totals of sessions that have something in common."""

    key: str | None
    """What the sessions have in common, such as the day; null for those without a value."""
    sessions: int
    """How many there are."""
    completed: int
    """How many have completed."""
    failed: int
    """How many have failed."""
    interrupted: int
    """How many were interrupted."""
    running: int
    """How many have not ended, queued ones included."""
    success_rate: float | None
    """The part of those that ended which completed, from 0 to 1; null if none has ended."""
    cost_usd: float | None
    """Their cost in US dollars; null if it is known of none."""
    input_tokens: int | None
    """Tokens that models read, without those of the cache; null if they are known of none."""
    output_tokens: int | None
    """Tokens that models wrote; null if they are known of none."""
    cache_creation_input_tokens: int | None
    """Tokens that were written to the cache; null if they are known of none."""
    cache_read_input_tokens: int | None
    """Tokens that were read from the cache; null if they are known of none."""
    num_turns: int | None
    """The turns of the models; null if they are known of none."""
    duration_ms: int | None
    """Claude Code's time at work in milliseconds; null if it is known of none."""
    run_time_ms: int | None
    """The time from start to end in milliseconds; null if none has ended."""


class BudgetObject(TypedDict):
    """A budget in its current period."""

    budget: str
    """The key of the configuration that sets it."""
    group: str | None
    """The group whose budget it is; null for the budget of all sessions."""
    period: str
    """`daily`, `weekly` or `monthly`."""
    limit_usd: float
    """The budget in US dollars."""
    spent_usd: float
    """What was spent, in US dollars."""
    estimated_usd: float
    """The part of what was spent that is an estimate, in US dollars."""
    reserved_usd: float
    """What running sessions may still spend, in US dollars."""
    rest_usd: float
    """What is neither spent nor reserved, in US dollars."""
    since: Timestamp
    """When the period began."""
    until: Timestamp
    """When the period ends."""
    rehearsed: bool
    """True for what rehearsals have spent, which costs nothing."""
