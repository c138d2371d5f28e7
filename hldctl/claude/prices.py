"""An estimate of what a message cost, for runs that ended before Claude Code reported their cost.

List prices of https://platform.claude.com/docs/en/about-claude/pricing as of November 2026, which are also those in
Claude Code 2.1.332. A price that has fallen since then is kept at its highest: an estimate should not be too low.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from hldctl.claude.stream import JsonObject, mapping, whole_number
from hldctl.claude.usage import Tokens


class Price(NamedTuple):
    """US dollars for a million tokens."""

    input: float
    output: float
    cache_write: float
    """Kept for five minutes."""
    cache_write_1h: float
    cache_read: float


def _price(input_usd: float, output_usd: float) -> Price:
    return Price(input_usd, output_usd, input_usd * 1.25, input_usd * 2, input_usd * 0.1)


_BY_FAMILY = {
    "haiku": _price(1, 5),
    "sonnet": _price(3, 15),
    "opus": _price(5, 25),
    "fable": _price(10, 50),
    "mythos": _price(10, 50),
}
_OLD_OPUS = _price(15, 75)
_OLD_OPUS_IDS = ("claude-opus-4-0", "claude-opus-4-1", "claude-opus-4-2025", "claude-3-opus")
_UNKNOWN = _BY_FAMILY["fable"]

_MILLION = 1_000_000
# Of English text and of code; a message reports its output tokens only when it begins.
_CHARACTERS_PER_TOKEN = 4


def estimate(message: JsonObject, tokens: Tokens | None, characters: int) -> float:
    """Return what a part of a message with this many characters cost in US dollars.

    `tokens` is the message's `usage` if this is its first part, None otherwise.
    """
    model = message.get("model")
    price = _find(model if type(model) is str else "")
    written = characters / _CHARACTERS_PER_TOKEN
    if tokens is None:
        return written * price.output / _MILLION
    cost = (
        tokens.input * price.input
        + max(tokens.output, written) * price.output
        + tokens.cache_creation * price.cache_write
        + tokens.cache_read * price.cache_read
    )
    if tokens.cache_creation:
        kept = mapping(mapping(message.get("usage")).get("cache_creation"))
        for_an_hour = min(whole_number(kept.get("ephemeral_1h_input_tokens")) or 0, tokens.cache_creation)
        cost += for_an_hour * (price.cache_write_1h - price.cache_write)
    return cost / _MILLION


# Each line of a message asks for it. The names come from outside, so there may be any number of them.
@lru_cache(maxsize=32)
def _find(model_id: str) -> Price:
    """Return the price of a model; that of the most expensive one if it is unknown."""
    name = model_id.lower()
    if any(old in name for old in _OLD_OPUS_IDS):
        return _OLD_OPUS
    return next((price for family, price in _BY_FAMILY.items() if family in name), _UNKNOWN)
