"""hldctl runs Claude Code sessions in the background.

The names in `__all__` are the Python API. They are imported on first use, so that the commands do not pay for them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hldctl.version import __version__

if TYPE_CHECKING:
    from hldctl.client.as_json import as_json
    from hldctl.client.client import Client
    from hldctl.errors import (
        BadUsage,
        HldctlError,
        NoSuchSession,
        TimedOut,
        UnfitEnvironment,
        WrongState,
    )
    from hldctl.states import ApprovalKind, ApprovalStatus, EndReason, EventType, MessageStatus, Status
    from hldctl.store.approvals import Approval
    from hldctl.store.events import Event
    from hldctl.store.messages import Message
    from hldctl.store.search.matches import Match
    from hldctl.store.session import Session

__all__ = [
    "Approval",
    "ApprovalKind",
    "ApprovalStatus",
    "BadUsage",
    "Client",
    "EndReason",
    "Event",
    "EventType",
    "HldctlError",
    "Match",
    "Message",
    "MessageStatus",
    "NoSuchSession",
    "Session",
    "Status",
    "TimedOut",
    "UnfitEnvironment",
    "WrongState",
    "__version__",
    "as_json",
]

_MODULES = {
    "hldctl.client.as_json": ("as_json",),
    "hldctl.client.client": ("Client",),
    "hldctl.errors": (*("BadUsage", "HldctlError", "NoSuchSession", "TimedOut", "UnfitEnvironment", "WrongState"),),
    "hldctl.states": ("ApprovalKind", "ApprovalStatus", "EndReason", "EventType", "MessageStatus", "Status"),
    "hldctl.store.approvals": ("Approval",),
    "hldctl.store.events": ("Event",),
    "hldctl.store.messages": ("Message",),
    "hldctl.store.search.matches": ("Match",),
    "hldctl.store.session": ("Session",),
}


def __getattr__(name: str) -> Any:
    """Import a name of the API on its first use."""
    for module, names in _MODULES.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(module), name)
            return value
    raise AttributeError(f"module 'hldctl' has no attribute {name!r}")
