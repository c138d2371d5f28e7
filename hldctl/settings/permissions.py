"""Settings of permissions for tool calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hldctl.settings.option import (
    APPROVAL_TIMEOUT,
    COMMAND,
    DURATION,
    FIRST,
    FLAG,
    HIDDEN,
    QUESTION_TIMEOUT,
    Option,
    ProjectRule,
    Section,
    setting,
)
from hldctl.settings.values import ApprovalTimeout, QuestionTimeout


def _skip(skip: bool, now: int) -> dict[str, Any]:
    return {"dangerously_skip_permissions": skip, "dangerously_skip_permissions_expires_at": None}


def _skip_for(duration_ms: int, now: int) -> dict[str, Any]:
    return {"dangerously_skip_permissions": True, "dangerously_skip_permissions_expires_at": now + duration_ms}


def _time_out(timeout: ApprovalTimeout, now: int) -> dict[str, Any]:
    return {"approval_timeout_ms": timeout.milliseconds, "approval_timeout_allows": timeout.allows}


def _time_out_question(timeout: QuestionTimeout, now: int) -> dict[str, Any]:
    return {"question_timeout_ms": timeout.milliseconds, "question_timeout_takes_first": timeout.takes_first}


# Nothing compares or prints it, and every command would pay for the creation of these methods.
@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Permissions:
    """What happens to a tool call that needs permission."""

    approvals: bool = setting(
        False,
        Option(
            "approvals",
            FLAG,
            "Ask for permission through `hldctl approvals`, or let Claude Code decide. On by default at a terminal.",
            config="Whether sessions ask for permission through `hldctl approvals`, as with --approvals. Without it, "
            "those that are launched at a terminal do.",
            example="true",
            section=Section.PERMISSIONS,
            # A person decides; a user who has turned that off is not there to answer.
            project=ProjectRule("only `true`, unless yours is `false`", lambda value, own: value and own is not False),
        ),
        exposure=HIDDEN,
        trusted=True,
    )
    """True if hldctl asks for permission; otherwise Claude Code decides as it does without hldctl."""
    auto_accept_edits: bool = setting(
        False,
        Option(
            "auto_accept_edits",
            FLAG,
            "Allow edits of the project's plain files without asking.",
            section=Section.PERMISSIONS,
        ),
        exposure=FIRST,
        trusted=True,
    )
    """True if edits of the project's plain files are allowed without asking."""
    dangerously_skip_permissions: bool = setting(
        False,
        Option(
            "dangerously_skip_permissions",
            FLAG,
            "Allow everything without asking.",
            resolve=_skip,
            section=Section.PERMISSIONS,
        ),
        exposure=FIRST,
        trusted=True,
    )
    """True if everything is allowed without asking."""
    dangerously_skip_permissions_expires_at: int | None = setting(
        None,
        Option(
            "dangerously_skip_permissions_timeout",
            DURATION,
            "Allow everything without asking, for this long.",
            resolve=_skip_for,
            section=Section.PERMISSIONS,
        ),
        exposure=FIRST,
        trusted=True,
        shown_as="Timestamp",
    )
    """Until when everything is allowed without asking; None if that has no end, or is off."""
    approval_timeout_ms: int | None = setting(
        None,
        Option(
            "approval_timeout",
            APPROVAL_TIMEOUT,
            "What to do with an unanswered request, and when: 30m=deny.",
            config="What happens to a request that nobody answers, and after how long, as with --approval-timeout. "
            "Without it, a request waits for as long as its session lives.",
            example='"30m=deny"',
            resolve=_time_out,
            section=Section.PERMISSIONS,
            project=ProjectRule("only with `=deny`", lambda value, own: not value.allows),
        ),
        exposure=HIDDEN,
        trusted=True,
    )
    approval_timeout_allows: bool | None = setting(None, exposure=HIDDEN, trusted=True)
    question_timeout_ms: int | None = setting(
        None,
        Option(
            "question_timeout",
            QUESTION_TIMEOUT,
            "What to do with an unanswered question of the model, and when: 10m=first takes the first choice.",
            config="What happens to a question that nobody answers, and after how long, as with --question-timeout. "
            "Without it, --approval-timeout denies a question, too.",
            example='"10m=first"',
            resolve=_time_out_question,
            section=Section.PERMISSIONS,
            project=ProjectRule("only with `=deny`", lambda value, own: not value.takes_first),
        ),
        exposure=HIDDEN,
        trusted=True,
    )
    question_timeout_takes_first: bool | None = setting(None, exposure=HIDDEN, trusted=True)
    on_approval: str | None = setting(
        None,
        Option(
            "on_approval",
            COMMAND,
            "Command to run for each request, which it receives as JSON on standard input, or a preset as with "
            "--on-end.",
            config="A command to run for each request, which it receives as JSON on standard input, or a preset: "
            "desktop, mail [ADDRESS] or webhook URL; as with --on-approval.",
            example="\"notify-send 'Permission wanted'\"",
            section=Section.PERMISSIONS,
        ),
        exposure=HIDDEN,
        trusted=True,
    )
    from_session: bool = setting(
        False,
        Option(
            "from_session",
            FLAG,
            "Let the session itself answer permission requests and widen permissions.",
            config="Whether sessions may answer permission requests and widen permissions themselves, as with "
            "--from-session.",
            example="false",
            section=Section.PERMISSIONS,
        ),
        trusted=True,
    )
    """True if the session itself may answer permission requests and widen permissions."""
