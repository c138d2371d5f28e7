"""What one may want to type next, for a session in this very state."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.states import Status
from hldctl.store.approvals import Approval
from hldctl.store.session import Session


def next_commands(session: Session, waiting: Sequence[Approval]) -> list[tuple[str, str]]:
    """Commands, each with what it does."""
    short = session.id[:8]
    watch = (f"hldctl tail -f {short}", "watch it work")
    stop = (f"hldctl interrupt {short}", "stop it")
    go_on = [(f'hldctl continue {short} "…"', "go on with it")] if session.claude_session_id else []
    match Status(session.status):
        case Status.WAITING_INPUT if waiting:
            asked = waiting[0].id[:8]
            return [
                (f"hldctl approve {asked}", "allow it"),
                (f'hldctl deny {asked} --message "…"', "deny it, and say why"),
                watch,
            ]
        case Status.QUEUED:
            return [("hldctl ls --status running", "what it may wait for"), stop]
        case Status.INTERRUPTING:
            return [
                (f"hldctl wait {short}", "until it has ended"),
                (f"hldctl interrupt {short} --timeout 0", "by force"),
            ]
        case Status.COMPLETED:
            return [*go_on, (f"hldctl export {short} -o {short}.md", "keep it as a document")]
        case Status.FAILED | Status.INTERRUPTED:
            return [(f"hldctl tail {short}", "what happened"), *go_on]
    return [watch, stop]
