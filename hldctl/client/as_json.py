"""The JSON objects of results."""

from __future__ import annotations

from typing import Any

from hldctl.store.approvals import Approval
from hldctl.store.events import Event
from hldctl.store.messages import Message
from hldctl.store.search.matches import Match
from hldctl.store.session import Session


def as_json(value: Session | Event | Approval | Message | Match) -> dict[str, Any]:
    """Return a result as the object that the command line prints with `--json`.

    The fields are described by `hldctl schema session`, `event`, `approval`, `message` and `match`.

    >>> session = hldctl.Client().launch("Say hello.")
    >>> hldctl.as_json(session)["query"]
    'Say hello.'
    """
    from hldctl.permission_hook.request_object import request_object
    from hldctl.store import json_view

    if isinstance(value, Session):
        return json_view.session_object(value)
    if isinstance(value, Match):
        return value.as_object()
    if isinstance(value, Approval):
        return {**request_object(value)}
    return json_view.event_object(value) if isinstance(value, Event) else json_view.message_object(value)
