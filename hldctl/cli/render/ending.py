"""How a session ended, and messages about one that failed, was stopped or was denied calls."""

from __future__ import annotations

from hldctl.cli.output import one_line, truncate
from hldctl.cli.render import run_time
from hldctl.cli.render.format import dollars, format_duration
from hldctl.sessions.inspect.tool_calls import key_input
from hldctl.states import EndReason, Status
from hldctl.store.session import Session

# Of a title, in characters.
_MAX_LABEL_LENGTH = 60
# The denied calls that are named.
_MAX_DENIALS = 3
_MAX_CALL_LENGTH = 80
# The status says the same.
_SILENT_REASONS = (EndReason.SUCCESS, EndReason.INTERRUPTED, EndReason.ERROR, None)
# Begins the message that the supervisor writes for a timeout.
_STOPPED = "Stopped: "


def label(session: Session) -> str:
    """Return what a person calls the session, and the first characters of its id."""
    name = session.name or session.title
    return f"{truncate(name, _MAX_LABEL_LENGTH)} ({session.id[:8]})" if name else f"session {session.id[:8]}"


def problem(session: Session) -> str | None:
    """Return how an ended session failed or was stopped; None if it has completed or has not ended."""
    if session.status == Status.INTERRUPTED:
        return f"{label(session)} was interrupted; to continue it: hldctl continue {session.id[:8]}"
    if session.status != Status.FAILED:
        return None
    message = (session.error_message or f"the reason is {session.end_reason}").strip()
    verb = "stopped" if message.startswith(_STOPPED) else "failed"
    lines = message.removeprefix(_STOPPED).removesuffix(".").splitlines()
    # Lines of another program are indented, so that none of them passes for a message of hldctl.
    reason = "\n  ".join(lines)
    separator = "; " if len(lines) == 1 else "\nhldctl: "
    return f"{label(session)} {verb}: {reason}{separator}{_see(session)}"


def denials(session: Session) -> str | None:
    """Return which tool calls of a completed session were denied; None if none was."""
    if session.status != Status.COMPLETED or not session.permission_denials:
        return None
    calls = [_call(denial) for denial in session.permission_denials]
    named = ", ".join(calls[:_MAX_DENIALS]) + (", …" if len(calls) > _MAX_DENIALS else "")
    count = "1 tool call was" if len(calls) == 1 else f"{len(calls)} tool calls were"
    return f"{label(session)} completed, but {count} denied: {named}; {_see(session)}"


def undelivered(session: Session) -> str | None:
    """Return how many messages an ended session did not get; None if it got all of them."""
    if session.completed_at is None or not session.pending_messages:
        return None
    count = "1 message" if session.pending_messages == 1 else f"{session.pending_messages} messages"
    return f"{label(session)} ended before it got {count}; {_see(session)}"


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


def _see(session: Session) -> str:
    return f"see: hldctl show {session.id[:8]}"


def _call(denial: dict[str, object]) -> str:
    arguments = denial.get("tool_input")
    argument = key_input(arguments)[1] if isinstance(arguments, dict) else None
    return truncate(one_line(f"{denial.get('tool_name')} {argument or ''}"), _MAX_CALL_LENGTH)
