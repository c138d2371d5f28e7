"""The field that a match of `search` has besides its own, which `store.search.matches` declares."""

from __future__ import annotations

from typing import TypedDict

from hldctl.contract.session import MachineRefObject


class FoundFields(TypedDict):
    """The field that the command adds to a match."""

    machine: MachineRefObject | None
    """The machine of the fleet that has the session; null without `--fleet`."""
