"""What a session has spent, by model and by run of Claude Code, as its journal tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hldctl.claude import usage
from hldctl.claude.fast_decode import decode
from hldctl.claude.stream import JsonObject
from hldctl.claude.usage import Spent, Tokens
from hldctl.ingest.journal import JournalReader, LongLine
from hldctl.paths import StateDirectory
from hldctl.store.session import Session

_TOLD = b'"modelUsage"'


@dataclass(frozen=True)
class Costs:
    models: dict[str | None, Spent]
    """What no `result` has told of a model, such as that of an answer cut off, is nobody's."""
    total: Spent
    """As the session has it."""
    runs: list[Spent | None]
    """Of each start of Claude Code; None for one that ended without saying."""


def of_session(state: StateDirectory, session: Session) -> Costs:
    """By the session's own numbers alone where its journal cannot be read."""
    total = _total(session)
    offsets = [int(restart["offset"]) for restart in session.restarts or []]
    last: list[dict[str, Spent] | None] = [None] * (len(offsets) + 1)
    inherited: dict[str, Spent] | None = None
    for end, result in _results(state, session):
        if inherited is None:
            inherited = usage.inherited_by_model(result)
        # A run's journal ends where the restart's offset is.
        last[sum(offset < end for offset in offsets)] = usage.by_model(result)
    told = next((models for models in reversed(last) if models), {})
    models: dict[str | None, Spent] = dict(usage.less(told, inherited or {}).items())
    rest = _rest(total, models)
    if rest is not None:
        models[None if models else session.model_id] = rest
    return Costs(models, total, list(_runs(last, inherited or {})))


def _results(state: StateDirectory, session: Session) -> Iterator[tuple[int, JsonObject]]:
    """With the byte of the journal behind each."""
    try:
        journal = JournalReader(state.session(session.id).journal, 0)
    except OSError:
        return
    try:
        while (batch := journal.next_batch()) is not None:
            for end, line in batch.ends():
                if isinstance(line, LongLine) or _TOLD not in line:
                    continue
                if (event := decode(line)) is not None and event.get("type") == "result":
                    yield end, event
    finally:
        journal.close()


def _total(session: Session) -> Spent:
    tokens = Tokens(
        session.input_tokens or 0,
        session.output_tokens or 0,
        session.cache_creation_input_tokens or 0,
        session.cache_read_input_tokens or 0,
    )
    return Spent(tokens, session.cost_usd)


def _rest(total: Spent, models: dict[str | None, Spent]) -> Spent | None:
    """What of the total is in no model's row."""
    told = Tokens()
    for spent in models.values():
        told = told.plus(spent.tokens)
    tokens = total.tokens.minus(told)
    # Messages tell what they used before the result corrects it.
    return Spent(tokens, None if models else total.cost_usd) if any(count > 0 for count in tokens) else None


def _runs(last: list[dict[str, Spent] | None], before: dict[str, Spent]) -> Iterator[Spent | None]:
    for models in last:
        if models is None:
            yield None
            continue
        yield _sum(usage.less(models, before))
        before = models


def _sum(models: dict[str, Spent]) -> Spent:
    tokens, cost = Tokens(), 0.0
    for spent in models.values():
        tokens = tokens.plus(spent.tokens)
        cost += spent.cost_usd or 0.0
    return Spent(tokens, cost)
