"""Tokens and cost in the stream (seen with 2.1.330).

- A message's `usage` is repeated on each of its lines; its `output_tokens` is the count at the first block, often 1.
- `total_cost_usd` and `modelUsage` of a `result` are cumulative, and after `--resume` they include the resumed
  conversation; `model_usage_since_last_result` is only the new part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hldctl.claude.stream import MAX_COUNT, JsonObject, mapping, number, whole_number


class Tokens(NamedTuple):
    input: int = 0
    output: int = 0
    cache_creation: int = 0
    cache_read: int = 0

    @property
    def context(self) -> int:
        """The tokens that count towards the context window."""
        return sum(self)

    def plus(self, other: Tokens) -> Tokens:
        # Without a loop, for speed: this runs for each message.
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_creation + other.cache_creation,
            self.cache_read + other.cache_read,
        )

    def minus(self, other: Tokens) -> Tokens:
        return Tokens(*(own - subtracted for own, subtracted in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Spending:
    """Tokens, and their cost in US dollars if it is known."""

    tokens: Tokens = field(default_factory=Tokens)
    cost_usd: float | None = None


# In the order of the fields of Tokens.
_MESSAGE_FIELDS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def message_tokens(message: JsonObject) -> Tokens | None:
    """Return the tokens in a message's `usage`; None if it has none."""
    usage = message.get("usage")
    if not isinstance(usage, dict):
        return None
    return Tokens._make(
        [
            # The common case comes first, for speed: this reads some ten thousand lines a second.
            count if type(count := usage.get(name)) is int and 0 <= count <= MAX_COUNT else whole_number(count) or 0
            for name in _MESSAGE_FIELDS
        ]
    )


def conversation_spending(result: JsonObject) -> Spending:
    """Return the usage of the whole conversation so far, from a `result` line."""
    tokens = _sum_tokens(result.get("modelUsage"))
    return Spending(tokens, number(result.get("total_cost_usd")))


def spending_by_model(result: JsonObject) -> dict[str, Spending]:
    """Return the usage of the whole conversation so far for each model, from a `result` line."""
    return _parse_models(result.get("modelUsage"))


def inherited_spending_by_model(result: JsonObject) -> dict[str, Spending]:
    """Return the usage before the run for each model, like `inherited`."""
    if "model_usage_since_last_result" not in result:
        return {}
    return subtract_spending(spending_by_model(result), _parse_models(result["model_usage_since_last_result"]))


def subtract_spending(later: dict[str, Spending], earlier: dict[str, Spending]) -> dict[str, Spending]:
    """Return the difference for each model, without the models that have none."""
    differences = {model: _difference(spent, earlier.get(model, Spending())) for model, spent in later.items()}
    return {model: spent for model, spent in differences.items() if any(spent.tokens) or spent.cost_usd}


def _difference(later: Spending, earlier: Spending) -> Spending:
    cost = None if later.cost_usd is None else later.cost_usd - (earlier.cost_usd or 0.0)
    return Spending(later.tokens.minus(earlier.tokens), cost)


def inherited_spending(result: JsonObject) -> Spending:
    """Return the usage before the run that is included in the run's first `result`; zero if it is unknown."""
    if "model_usage_since_last_result" not in result:
        return Spending()
    new = mapping(result["model_usage_since_last_result"])
    new_cost = sum(number(mapping(usage).get("costUSD")) or 0.0 for usage in new.values())
    conversation = conversation_spending(result)
    cost_before = (conversation.cost_usd or 0.0) - new_cost
    # A smaller difference is a rounding error of the sum; the cost of a first run remains exactly that of its result.
    cost = cost_before if cost_before > 1e-9 else 0.0
    return Spending(conversation.tokens.minus(_sum_tokens(new)), cost)


def context_window(result: JsonObject, model_id: str | None) -> int | None:
    """Return the context window of the main conversation's model in tokens, else the largest one in the result."""
    usage = mapping(result.get("modelUsage"))
    if model_id in usage:
        return whole_number(mapping(usage[model_id]).get("contextWindow"))
    windows = [whole_number(mapping(model).get("contextWindow")) for model in usage.values()]
    return max((window for window in windows if window is not None), default=None)


def _sum_tokens(models: Any) -> Tokens:
    tokens = Tokens()
    for spent in _parse_models(models).values():
        tokens = tokens.plus(spent.tokens)
    return tokens


def _parse_models(models: Any) -> dict[str, Spending]:
    return {model: _parse_model(mapping(usage)) for model, usage in mapping(models).items()}


def _parse_model(usage: JsonObject) -> Spending:
    tokens = Tokens(
        whole_number(usage.get("inputTokens")) or 0,
        whole_number(usage.get("outputTokens")) or 0,
        whole_number(usage.get("cacheCreationInputTokens")) or 0,
        whole_number(usage.get("cacheReadInputTokens")) or 0,
    )
    return Spending(tokens, number(usage.get("costUSD")))
