"""A session's costs by model and by run of Claude Code, read from its journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hldctl.claude import usage
from hldctl.claude.fast_decode import decode
from hldctl.claude.stream import JsonObject
from hldctl.claude.usage import Spending, Tokens
from hldctl.ingest.journal import JournalReader, LongLine
from hldctl.paths import StateDirectory
from hldctl.store.session import Session

_MODEL_USAGE = b'"modelUsage"'


@dataclass(frozen=True)
class Costs:
    """What a session has spent."""

    models: dict[str | None, Spending]
    """Costs by model. The key None holds what no `result` assigns to a model, such as an answer that was cut off."""
    total: Spending
    """The total in the session's row."""
    runs: list[Spending | None]
    """The costs of each start of Claude Code; None for one that ended without a `result`."""


def session_costs(state: StateDirectory, session: Session) -> Costs:
    """Return the session's costs; only the totals in its row if its journal cannot be read."""
    total = _total(session)
    offsets = [int(restart["offset"]) for restart in session.restarts or []]
    last_usage: list[dict[str, Spending] | None] = [None] * (len(offsets) + 1)
    inherited: dict[str, Spending] | None = None
    for end, result in _results(state, session):
        if inherited is None:
            inherited = usage.inherited_spending_by_model(result)
        # A run's part of the journal ends at the offset of the restart after it.
        last_usage[sum(offset < end for offset in offsets)] = usage.spending_by_model(result)
    latest = next((models for models in reversed(last_usage) if models), {})
    models: dict[str | None, Spending] = dict(usage.subtract_spending(latest, inherited or {}).items())
    unassigned = _unassigned_spending(total, models)
    if unassigned is not None:
        models[None if models else session.model_id] = unassigned
    return Costs(models, total, list(_run_costs(last_usage, inherited or {})))


def _results(state: StateDirectory, session: Session) -> Iterator[tuple[int, JsonObject]]:
    """Yield each `result` with the offset of its end in the journal."""
    try:
        journal = JournalReader(state.session(session.id).journal, 0)
    except OSError:
        return
    try:
        while (batch := journal.next_batch()) is not None:
            for end, line in batch.lines_with_ends():
                if isinstance(line, LongLine) or _MODEL_USAGE not in line:
                    continue
                if (event := decode(line)) is not None and event.get("type") == "result":
                    yield end, event
    finally:
        journal.close()


def _total(session: Session) -> Spending:
    tokens = Tokens(
        session.input_tokens or 0,
        session.output_tokens or 0,
        session.cache_creation_input_tokens or 0,
        session.cache_read_input_tokens or 0,
    )
    return Spending(tokens, session.cost_usd)


def _unassigned_spending(total: Spending, models: dict[str | None, Spending]) -> Spending | None:
    """Return the part of the total that is not assigned to a model; None if all of it is assigned."""
    assigned = Tokens()
    for spent in models.values():
        assigned = assigned.plus(spent.tokens)
    tokens = total.tokens.minus(assigned)
    # Messages report their usage before the result corrects it.
    return Spending(tokens, None if models else total.cost_usd) if any(count > 0 for count in tokens) else None


def _run_costs(
    last_usage: list[dict[str, Spending] | None], previous: dict[str, Spending]
) -> Iterator[Spending | None]:
    for models in last_usage:
        if models is None:
            yield None
            continue
        yield _sum(usage.subtract_spending(models, previous))
        previous = models


def _sum(models: dict[str, Spending]) -> Spending:
    tokens, cost = Tokens(), 0.0
    for spent in models.values():
        tokens = tokens.plus(spent.tokens)
        cost += spent.cost_usd or 0.0
    return Spending(tokens, cost)
