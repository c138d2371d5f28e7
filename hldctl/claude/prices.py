"""An estimate of what a message cost, for runs that ended before Claude Code reported their cost.

List prices of https://platform.claude.com/docs/en/about-claude/pricing as of November 2026, which are also those in
Claude Code 2.1.332. A price that has fallen since then is kept at its highest: an estimate should not be too low.
"""

from __future__ import annotations

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


def estimate_message(message: JsonObject, tokens: Tokens) -> float:
    """Return what a message with this `usage` cost in US dollars, without its output."""
    price = _find(message.get("model"))
    written = mapping(mapping(message.get("usage")).get("cache_creation"))
    for_an_hour = min(whole_number(written.get("ephemeral_1h_input_tokens")) or 0, tokens.cache_creation)
    return (
        tokens.input * price.input
        + (tokens.cache_creation - for_an_hour) * price.cache_write
        + for_an_hour * price.cache_write_1h
        + tokens.cache_read * price.cache_read
    ) / _MILLION


def estimate_output(message: JsonObject, output_tokens: int, characters: int) -> float:
    """Return what a part of a message cost, from its length and the tokens that it reports."""
    return max(output_tokens, characters / _CHARACTERS_PER_TOKEN) * _find(message.get("model")).output / _MILLION


def _find(model_id: object) -> Price:
    """Return the price of a model; that of the most expensive one if it is unknown."""
    name = str(model_id).lower()
    if any(old in name for old in _OLD_OPUS_IDS):
        return _OLD_OPUS
    return next((price for family, price in _BY_FAMILY.items() if family in name), _UNKNOWN)
