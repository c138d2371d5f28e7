"""The rules that `approve --always` made for a session: naming them, and taking them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hldctl.claude.permission_hook import Rule
from hldctl.errors import BadUsage
from hldctl.sessions.lookup import SHORTEST_PREFIX
from hldctl.store import approvals
from hldctl.store.connection import current

ALL = "all"
_LENGTH = 8


def of_session(session_id: str) -> list[Rule]:
    """Return a session's rules, the oldest first; to be called with the database open."""
    return list(map(Rule._make, approvals.rules(current(), session_id)))


def rule_id(rule: Rule) -> str:
    """Return what names a rule within its session: the same as long as it is there, and again if it is made again."""
    # Only here: supervisors and the hook do without.
    import hashlib

    return hashlib.sha256("\0".join(rule).encode(errors="replace")).hexdigest()[:_LENGTH]


def as_object(rule: Rule) -> dict[str, Any]:
    return {"id": rule_id(rule), **rule._asdict(), "words": rule.words()}


def named(session_id: str, words: Sequence[str]) -> list[Rule]:
    """Return the rules with these ids or prefixes, or `all`; raises BadUsage for what names none or two."""
    found = of_session(session_id)
    if ALL in words:
        return found
    chosen = []
    for word in words:
        fitting = [rule for rule in found if len(word) >= SHORTEST_PREFIX and rule_id(rule).startswith(word)]
        if len(fitting) != 1:
            problem = "is ambiguous" if fitting else "names no rule of this session"
            raise BadUsage(f"{word!r} {problem}; `hldctl show {session_id[:8]}` lists its rules.")
        chosen += fitting
    return chosen
