"""How a session ended, in words."""

from __future__ import annotations

from hldctl.cli.render import run_time
from hldctl.cli.render.format import dollars, format_duration
from hldctl.states import EndReason
from hldctl.store.session import Session

# The status says the same.
_SILENT_REASONS = (EndReason.SUCCESS, EndReason.INTERRUPTED, EndReason.ERROR, None)


def outcome(session: Session) -> str:
    """Return the status and, if it says more, the reason: `failed (max turns)`."""
    if session.end_reason in _SILENT_REASONS:
        return session.status
    return f"{session.status} ({session.end_reason.replace('_', ' ')})"


def numbers(session: Session, turns: int = 0) -> list[str]:
    """Return turns, context and cost; `turns` is the number seen so far, as the session's own comes with a result."""
    count = max(session.num_turns or 0, turns)
    texts = [f"{count} turn{'s' * (count != 1)}"] if count else []
    if (tokens := session.effective_context_tokens) is not None:
        window = session.context_window
        texts.append(f"context {tokens / window:.0%}" if window else f"context {tokens / 1000:.0f}k")
    return [*texts, dollars(session.cost_usd)] if session.cost_usd is not None else texts


def sentence(session: Session) -> str:
    """Return the outcome of a session with its duration and numbers, on one line."""
    return " · ".join(
        [f"{outcome(session)} after {format_duration(run_time.run_time_ms(session) or 0)}", *numbers(session)]
    )
