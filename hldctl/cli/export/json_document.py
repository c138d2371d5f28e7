"""The export as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hldctl.claude.usage import Spending
from hldctl.paths import StateDirectory
from hldctl.permission_hook.request_object import request_object
from hldctl.protocol.restart import Restart, load_restarts
from hldctl.sessions.inspect import costs, follow
from hldctl.sessions.inspect.costs import Costs
from hldctl.sessions.inspect.details import SessionDetails
from hldctl.store import approvals, json_view
from hldctl.store.connection import current_connection
from hldctl.system.clock import format_rfc3339


def document(state: StateDirectory, inspection: SessionDetails) -> Iterator[str]:
    """Yield the object in pieces; the database has to be open."""
    session = inspection.session
    requests = approvals.session_approvals(current_connection(), session.id)
    members = json_view.session_object(session) | {
        "children": inspection.child_ids,
        "predecessors": [json_view.predecessor_object(each) for each in inspection.predecessors],
        "sent_query": inspection.sent_query,
        "mcp_servers": [json_view.mcp_server_object(server) for server in inspection.mcp_servers],
        "restarts": [_restart(restart) for restart in load_restarts(session)],
        "costs": _costs(costs.session_costs(state, session)),
        "approvals": [request_object(approval) for approval in requests],
    }
    # The last member, the events, is written one by one.
    yield json.dumps(members, indent=2, allow_nan=False).removesuffix("\n}") + ',\n  "events": ['
    yield from _join_with_commas(
        json_view.event_object(event) for event in follow.conversation_events(state, [session.id])
    )
    yield "\n  ]\n}\n"


def _join_with_commas(values: Iterable[dict[str, Any]]) -> Iterator[str]:
    separator = "\n"
    for value in values:
        text = json.dumps(value, indent=2, allow_nan=False)
        yield separator + "\n".join(f"    {line}" for line in text.split("\n"))
        separator = ",\n"


def _restart(restart: Restart) -> dict[str, Any]:
    return {
        "kind": restart.kind,
        "at": format_rfc3339(restart.at),
        "due": format_rfc3339(restart.due),
        "reason": restart.reason,
        "note": restart.note,
    }


def _costs(spent: Costs) -> dict[str, Any]:
    return {
        "models": [{"model_id": model, **_spending_object(each)} for model, each in spent.models.items()],
        "runs": [None if run is None else _spending_object(run) for run in spent.runs],
    }


def _spending_object(spent: Spending) -> dict[str, Any]:
    tokens = spent.tokens
    return {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_creation_input_tokens": tokens.cache_creation,
        "cache_read_input_tokens": tokens.cache_read,
        "cost_usd": spent.cost_usd,
    }
