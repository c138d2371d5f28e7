"""The JSON object of an event of the feed, and what its data holds for each type."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from hldctl.contract.activity import ActivityObject
from hldctl.contract.approval import ApprovalObject, OriginObject
from hldctl.contract.event import EventObject
from hldctl.contract.message import MessageObject
from hldctl.contract.timestamp import Timestamp
from hldctl.states import ApprovalStatus, EventType, FeedType, MessageStatus, Status


class FeedRowObject(TypedDict):
    """The fields of an event of the feed that are columns."""

    id: int
    """The event's number; it only grows, with gaps. Of a fleet, each machine numbers its own events."""
    type: FeedType
    """What has changed."""
    session_id: str
    """The session's id."""
    run_id: str
    """The id of the session's run."""
    timestamp: Timestamp
    """When it changed."""
    data: dict[str, Any]
    """What has changed; the fields depend on `type`."""


class FeedMachineObject(TypedDict):
    """The machine that a change of a fleet comes from."""

    id: str
    """The machine's id, a UUID."""
    name: str
    """The machine's name."""


class FeedEventObject(FeedRowObject):
    """A change, as `events` prints it, with what it is about, as that is when the event is printed."""

    activity: ActivityObject | None
    """What the session is doing; null if it has ended or was deleted, and with `--fleet`."""
    event: EventObject | None
    """The new event of the conversation; null for other types, for a deleted session, and with `--fleet`."""
    approval: ApprovalObject | None
    """The request that is new or answered; null for other types, for a deleted session, and with `--fleet`."""
    message: MessageObject | None
    """The message that has changed; null for other types, for a deleted session, and with `--fleet`."""
    machine: NotRequired[FeedMachineObject]
    """The machine that the change comes from; only with `--fleet`."""


class StatusChangedData(TypedDict):
    """`data` of `session_status_changed`."""

    old_status: Status | None
    """The status before; null for a new session."""
    new_status: Status
    """The status now."""
    end_reason: NotRequired[str | None]
    """Why the session has ended; only of one that has, null if the reason is unknown."""


class ConversationUpdatedData(TypedDict):
    """`data` of `conversation_updated`; fields that would be null are absent."""

    sequence: int
    """The event's number in the conversation."""
    event_type: EventType
    """The kind of event."""
    role: NotRequired[str]
    """Who speaks."""
    tool_id: NotRequired[str]
    """The id of a tool call."""
    tool_name: NotRequired[str]
    """The tool of a call."""
    tool_result_for_id: NotRequired[str]
    """The id of the tool call that a result belongs to."""
    parent_tool_use_id: NotRequired[str]
    """The tool call that started the subagent which the event is from."""


class NewApprovalData(TypedDict):
    """`data` of `new_approval`."""

    approval_id: str
    """The request's id."""
    tool_name: str
    """The tool that the model wants to use."""


class ApprovalResolvedData(NewApprovalData):
    """`data` of `approval_resolved`."""

    status: ApprovalStatus
    """How it was answered."""
    comment: str | None
    """What the answer said to the model; null without a comment."""
    answered_by: str | None
    """Who answered: a user, a rule, or another hook; null if it expired."""
    answered_from: OriginObject | None
    """The process of the command that answered; null unless a command did."""


class MessageChangedData(TypedDict):
    """`data` of `message_changed`."""

    id: str
    """The message's id."""
    status: MessageStatus
    """Where the message is on its way to the model."""
    sequence: NotRequired[int | None]
    """The number of its event in the conversation; null until it is part of it."""


class SessionDeletedData(TypedDict):
    """`data` of `session_deleted`."""

    status: Status
    """The last status."""
    name: str | None
    """The name; null without one."""
    private: NotRequired[bool]
    """True for a session that was kept out of the record of the fleet."""


DATA: dict[FeedType, type | None] = {
    FeedType.SESSION_STATUS_CHANGED: StatusChangedData,
    FeedType.CONVERSATION_UPDATED: ConversationUpdatedData,
    # Settings by name, as in the JSON of a session, and `forgotten_rules`.
    FeedType.SESSION_SETTINGS_CHANGED: None,
    FeedType.NEW_APPROVAL: NewApprovalData,
    FeedType.APPROVAL_RESOLVED: ApprovalResolvedData,
    FeedType.MESSAGE_CHANGED: MessageChangedData,
    FeedType.SESSION_DELETED: SessionDeletedData,
}
"""What `data` holds for each type."""
