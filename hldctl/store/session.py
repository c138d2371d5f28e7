"""A session's row, as those have it who need no query of their own making."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

JSON_COLUMNS = frozenset(
    {
        *("additional_directories", "allowed_tools", "disallowed_tools", "extra_arguments", "permission_denials"),
        *("fold_state", "left_running", "restarts"),
    }
)
TRUTH_COLUMNS = frozenset(
    {
        *("fresh_system_prompt", "auto_accept_edits", "dangerously_skip_permissions", "archived", "approvals"),
        *("approval_timeout_allows", "wait_for_reset", "fail_on_denial", "on_end_pending", "rehearsed", "was_queued"),
        "from_session",
    }
)
"""Which SQLite holds as numbers."""


class Session(SimpleNamespace):
    """Its columns, or those that were asked for, as attributes; `models` tells their meaning."""

    id: str


def decoded(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    return {name: _decoded(name, value) for name, value in zip(names, values, strict=True)}


def encoded(name: str, value: Any) -> Any:
    """As the database holds it."""
    return json.dumps(value) if name in JSON_COLUMNS and value is not None else value


def _decoded(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in JSON_COLUMNS:
        return json.loads(value)
    return bool(value) if name in TRUTH_COLUMNS else value
