"""Tokens and cost, as the stream tells them (seen with 2.1.330).

- A message's `usage` stands on each of its lines; its `output_tokens` is the count at the first block, often 1.
- `total_cost_usd` and `modelUsage` of a `result` are cumulative, and after `--resume` they go on from where the resumed
  conversation stood; `model_usage_since_last_result` is what is new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hldctl.claude.stream import LARGEST_COUNT, JsonObject, mapping, number, whole_number


class Tokens(NamedTuple):
    input: int = 0
    output: int = 0
    cache_creation: int = 0
    cache_read: int = 0

    @property
    def context(self) -> int:
        """What counts towards the context window."""
        return sum(self)

    def plus(self, other: Tokens) -> Tokens:
        # Written out, for it is done with each message.
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_creation + other.cache_creation,
            self.cache_read + other.cache_read,
        )

    def minus(self, other: Tokens) -> Tokens:
        return Tokens(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Spent:
    """Tokens and dollars together."""

    tokens: Tokens = field(default_factory=Tokens)
    cost_usd: float | None = None


_OF_MESSAGE = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""In the order of Tokens."""


def of_message(message: JsonObject) -> Tokens | None:
    usage = message.get("usage")
    if not isinstance(usage, dict):
        return None
    return Tokens._make(
        [
            # The usual case first: some ten thousand lines a second are read by this.
            count if type(count := usage.get(name)) is int and 0 <= count <= LARGEST_COUNT else whole_number(count) or 0
            for name in _OF_MESSAGE
        ]
    )


def total(result: JsonObject) -> Spent:
    """All that the conversation has spent so far, by a `result` line."""
    tokens = _of_models(result.get("modelUsage"))
    return Spent(tokens, number(result.get("total_cost_usd")))


def by_model(result: JsonObject) -> dict[str, Spent]:
    """The same for each model that it names."""
    return _each_model(result.get("modelUsage"))


def inherited_by_model(result: JsonObject) -> dict[str, Spent]:
    """As `inherited`, for each model."""
    if "model_usage_since_last_result" not in result:
        return {}
    return less(by_model(result), _each_model(result["model_usage_since_last_result"]))


def less(later: dict[str, Spent], earlier: dict[str, Spent]) -> dict[str, Spent]:
    """What was spent in between, without the models that spent nothing then."""
    between = {model: _between(spent, earlier.get(model, Spent())) for model, spent in later.items()}
    return {model: spent for model, spent in between.items() if any(spent.tokens) or spent.cost_usd}


def _between(later: Spent, earlier: Spent) -> Spent:
    cost = None if later.cost_usd is None else later.cost_usd - (earlier.cost_usd or 0.0)
    return Spent(later.tokens.minus(earlier.tokens), cost)


def inherited(result: JsonObject) -> Spent:
    """What of the run's first `result` had been spent before the run; nothing where the stream doesn't tell."""
    if "model_usage_since_last_result" not in result:
        return Spent()
    new = mapping(result["model_usage_since_last_result"])
    new_cost = sum(number(mapping(usage).get("costUSD")) or 0.0 for usage in new.values())
    everything = total(result)
    before = (everything.cost_usd or 0.0) - new_cost
    # Below that it is the sum's rounding, and a first run's cost stays what its result says to the last digit.
    cost = before if before > 1e-9 else 0.0
    return Spent(everything.tokens.minus(_of_models(new)), cost)


def context_window(result: JsonObject, model_id: str | None) -> int | None:
    """The window of the main conversation's model, else the largest named."""
    usage = mapping(result.get("modelUsage"))
    if model_id in usage:
        return whole_number(mapping(usage[model_id]).get("contextWindow"))
    windows = [whole_number(mapping(model).get("contextWindow")) for model in usage.values()]
    return max((window for window in windows if window is not None), default=None)


def _of_models(models: Any) -> Tokens:
    tokens = Tokens()
    for spent in _each_model(models).values():
        tokens = tokens.plus(spent.tokens)
    return tokens


def _each_model(models: Any) -> dict[str, Spent]:
    return {model: _of_model(mapping(usage)) for model, usage in mapping(models).items()}


def _of_model(usage: JsonObject) -> Spent:
    tokens = Tokens(
        whole_number(usage.get("inputTokens")) or 0,
        whole_number(usage.get("outputTokens")) or 0,
        whole_number(usage.get("cacheCreationInputTokens")) or 0,
        whole_number(usage.get("cacheReadInputTokens")) or 0,
    )
    return Spent(tokens, number(usage.get("costUSD")))
