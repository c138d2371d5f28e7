"""The rules that `approve --always` made for a session: listing them, and finding the ones to remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hldctl.claude.permission_hook import Rule
from hldctl.errors import BadUsage
from hldctl.sessions.lookup import MIN_PREFIX_LENGTH
from hldctl.store import approvals
from hldctl.store.connection import current_connection

ALL = "all"
_ID_LENGTH = 8


def session_rules(session_id: str) -> list[Rule]:
    """Return a session's rules, oldest first. The database must be open."""
    return list(map(Rule._make, approvals.rules(current_connection(), session_id)))


def rule_id(rule: Rule) -> str:
    """Return the rule's id, unique in its session. It depends only on the rule, so that it never changes."""
    # Imported here: supervisors and the hook do not need it.
    import hashlib

    return hashlib.sha256("\0".join(rule).encode(errors="replace")).hexdigest()[:_ID_LENGTH]


def rule_json(rule: Rule) -> dict[str, Any]:
    return {"id": rule_id(rule), **rule._asdict(), "words": rule.description()}


def find_rules(session_id: str, refs: Sequence[str]) -> list[Rule]:
    """Return the rules with these ids or id prefixes; all for `all`. Raise BadUsage if one matches none or several."""
    rules = session_rules(session_id)
    if ALL in refs:
        return rules
    chosen = []
    for ref in refs:
        matching = [rule for rule in rules if len(ref) >= MIN_PREFIX_LENGTH and rule_id(rule).startswith(ref)]
        if len(matching) != 1:
            problem = "is ambiguous" if matching else "does not match any rule of this session"
            raise BadUsage(f"{ref!r} {problem}; `hldctl show {session_id[:8]}` lists its rules.")
        chosen += matching
    return chosen
