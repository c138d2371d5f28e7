"""The messages for launches that a session may not make."""

from __future__ import annotations

from hldctl.config import schema
from hldctl.store.admission.lineage import LaunchRefused, Refusal
from hldctl.store.admission.rules import Rules


def refusal_message(error: LaunchRefused, rules: Rules) -> str:
    """Return why a session was not launched, and what to do."""
    session = f"session {error.session_id[:8]}"
    match error.refusal:
        case Refusal.DEPTH:
            return (
                f"Sessions may be at most {_count(rules.max_launch_depth, 'level')} below {session}; launch this one "
                f"from a shell outside the session, or raise max_launch_depth in {schema.path()}."
            )
        case Refusal.NUMBER:
            return (
                f"{_count(rules.max_launched, 'session')} launched within {session} have not ended; wait for one, or "
                f"raise max_launched in {schema.path()}."
            )
        case Refusal.BUDGET:
            return (
                f"{session.capitalize()}, which launches this one, has ${error.left_usd:.4g} left of its "
                "--max-budget-usd; ask for less, or launch it from a shell outside the session."
            )
        case Refusal.INTERRUPTED:
            return f"{session.capitalize()}, which launches this one, was interrupted; launch it from a shell outside."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
