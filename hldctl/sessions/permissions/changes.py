"""Changes of permission requests, read from the feed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hldctl.states import ApprovalStatus, FeedType
from hldctl.store import approvals, feed
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection

_PAGE = 500


class ApprovalChange(NamedTuple):
    feed_id: int
    approval: Approval


def approval_changes(after: int, session_id: str | None = None) -> Iterator[ApprovalChange]:
    """Yield the changes after this feed id; a request that is answered by now is yielded once, as answered."""
    types = (FeedType.NEW_APPROVAL, FeedType.APPROVAL_RESOLVED)
    while page := feed.feed_after(after, _PAGE, types=types, session_id=session_id):
        for event in page:
            after = event.id
            approval = approvals.get(current_connection(), event.data["approval_id"])
            is_new = event.type == FeedType.NEW_APPROVAL
            if approval is not None and is_new == (approval.status == ApprovalStatus.PENDING):
                yield ApprovalChange(event.id, approval)
