"""The JSON object of a permission request, a question or a plan."""

from __future__ import annotations

from typing import Any, TypedDict

from hldctl.contract.timestamp import Timestamp
from hldctl.states import ApprovalKind, ApprovalStatus


class OriginObject(TypedDict):
    """The process of the command that gave an answer."""

    uid: int
    """The user id that it ran as."""
    pid: int
    """Its process id."""
    tty: str | None
    """Its terminal; null without one."""
    host: str
    """The name of its machine."""
    command: str
    """The command of hldctl, such as `approve`."""
    session_id: str | None
    """The session within which it ran; null outside any session."""
    command_of: str | None
    """The session whose `on_approval` or `on_end` command it was; null otherwise."""
    ssh_client: str | None
    """The address of the ssh client; null without ssh."""
    asked_by: str | None
    """The role that asked for it on another machine; null if it was typed here."""


class ChoiceObject(TypedDict):
    """A choice that the model offers."""

    label: str
    """The choice."""
    description: str
    """What it means; empty without a description."""


class QuestionObject(TypedDict):
    """A question of the model."""

    question: str
    """The question."""
    header: str
    """A word or two that name it."""
    multi_select: bool
    """True if several choices may be taken."""
    options: list[ChoiceObject]
    """The choices."""


class StoredApprovalObject(TypedDict):
    """The fields of a request that are columns."""

    id: str
    """The request's id, a UUID."""
    session_id: str
    """The session's id."""
    run_id: str
    """The id of the session's run."""
    tool_use_id: str | None
    """The id of the tool call; null until the call is recorded."""
    tool_name: str
    """The tool that the model wants to use."""
    tool_input: dict[str, Any]
    """The tool's input."""
    status: ApprovalStatus
    """Whether it was answered, and how."""
    comment: str | None
    """What the answer said to the model; null without a comment."""
    created_at: Timestamp
    """When the request was made."""
    responded_at: Timestamp | None
    """When it was answered, or expired; null while it is pending."""
    answered_by: str | None
    """Who answered: a user, a rule, or another hook; null while it is pending."""
    answered_from: OriginObject | None
    """The process of the command that answered; null unless a command did."""


class ApprovalObject(StoredApprovalObject):
    """A permission request, a question or a plan."""

    updated_input: dict[str, Any] | None
    """The input that the answer replaced the tool's input with; null if it did not."""
    kind: ApprovalKind
    """What is asked of the user."""
    questions: list[QuestionObject] | None
    """The questions; null unless `kind` is `question`."""
    answers: dict[str, Any] | None
    """The answers by the text of the question, each a text or a list of labels; null unless questions were answered."""
