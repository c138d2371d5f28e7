"""What a monitoring system collects: how many sessions there are in each state, what they cost, and what waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hldctl.states import ApprovalKind, Status
from hldctl.store import approvals, statistics
from hldctl.store.connection import current_connection, execute
from hldctl.store.statistics import GroupBy

_TOKENS = ("input", "output", "cache_creation_input", "cache_read_input")


@dataclass(frozen=True)
class Metric:
    """A number, or one for each value of a label. All fall when sessions are deleted."""

    name: str
    """In Prometheus' form, with the unit at the end."""
    help: str
    label: str | None
    values: Mapping[str, float]
    """By the label's value; with no label, one, by an empty text."""


def load_metrics() -> list[Metric]:
    """Return the metrics of all sessions, archived ones included. Needs an open database."""
    groups = statistics.sums(GroupBy.STATUS, archived=True)
    pending = approvals.pending_approvals(current_connection())
    kinds = Counter(request.kind for request in pending)
    tokens = {kind: float(sum(getattr(group, f"{kind}_tokens") or 0 for group in groups)) for kind in _TOKENS}
    cost = sum(group.cost_usd or 0.0 for group in groups)
    return [
        Metric("hldctl_sessions", "Sessions in each status.", "status", _statuses()),
        Metric("hldctl_cost_usd", "What the sessions have cost, in US dollars.", None, {"": cost}),
        Metric("hldctl_tokens", "Tokens of the sessions.", "kind", tokens),
        Metric(
            "hldctl_waiting_requests",
            "Permission requests, questions and plans that wait for an answer.",
            "kind",
            {str(kind): float(kinds[kind]) for kind in ApprovalKind},
        ),
        Metric(
            "hldctl_oldest_waiting_request_seconds",
            "Age of the oldest request that waits; 0 if none does.",
            None,
            {"": _age_seconds(pending[0].created_at if pending else None)},
        ),
        Metric(
            "hldctl_oldest_live_session_seconds",
            "Age of the oldest session that has not ended; 0 if all have.",
            None,
            {"": _age_seconds(_oldest_start())},
        ),
    ]


def _statuses() -> dict[str, float]:
    counts: dict[str, int] = dict(execute("SELECT status, count(*) FROM sessions GROUP BY status").fetchall())
    return {str(status): float(counts.get(str(status), 0)) for status in Status}


def _oldest_start() -> int | None:
    value = execute("SELECT min(created_at) FROM sessions WHERE completed_at IS NULL").fetchall()[0][0]
    return None if value is None else int(value)


def _age_seconds(since_ms: int | None) -> float:
    return 0.0 if since_ms is None else max(0.0, time.time() - since_ms / 1000)
