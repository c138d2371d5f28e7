"""What keeps each queued session from starting: its predecessors, its name, slots, budgets, its account.

First in, first out; a session that waits for its name or its group does not hold up those after it, and one that waits
for predecessors does not hold its name either. One that waits for a budget holds up those after it that need the same
budget: otherwise cheaper ones could overtake it for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hldctl.states import Status, WaitReason
from hldctl.store.admission.budget_room import BudgetRoom
from hldctl.store.admission.entries import Entry
from hldctl.store.admission.predecessors import NO_PREDECESSORS
from hldctl.store.admission.rules import Rules
from hldctl.store.admission.turns import Turns


def find_obstacles(
    live: Iterable[Entry], rules: Rules, room: BudgetRoom, turns: Turns | None = None
) -> dict[str, WaitReason | None]:
    """Return what each queued session on this machine waits for, by id; None if it may start now.

    `live` are all sessions that have not ended, oldest first; `room` is what the budgets have left besides them;
    `turns` lets those of a closed account start in turn, and knows afterwards whose turn it is.
    """
    live = list(live)
    in_use = _InUse(live)
    obstacles = {}
    for entry in live:
        if entry.status == Status.QUEUED and entry.is_here:
            obstacle = _find_obstacle(entry, in_use, rules, room)
            if turns is not None and obstacle not in (WaitReason.NAME, WaitReason.PREDECESSORS):
                # A session without a slot or a budget cannot take the turn of its account.
                obstacle = turns.take(entry) if obstacle is None else turns.reason(entry) or obstacle
            obstacles[entry.id] = obstacle
            if entry.name is not None and obstacle is not WaitReason.PREDECESSORS:
                in_use.names.add(entry.name)
            if obstacle is None:
                in_use.add(entry)
                room.reserve(entry)
        elif turns is not None and entry.restart_due is not None and entry.is_here:
            turns.take(entry)
    return obstacles


class _InUse:
    """The names and slots that sessions have."""

    def __init__(self, live: Iterable[Entry]) -> None:
        running = [entry for entry in live if entry.status != Status.QUEUED]
        self.names = {entry.name for entry in running if entry.name is not None}
        self.slots = 0
        self.group_slots = Counter[str | None]()
        self._groups = {entry.id: entry.group for entry in running}
        for entry in running:
            # An idle session keeps its name, and has no slot.
            if entry.status != Status.IDLE and entry.is_here:
                self.add(entry)

    def add(self, entry: Entry) -> None:
        self.slots += 1
        self._groups[entry.id] = entry.group
        if self.needs_group_slot(entry):
            self.group_slots[entry.group] += 1

    def needs_group_slot(self, entry: Entry) -> bool:
        """Return whether it needs a slot of its group: its launcher, which may wait for it, would keep the last one."""
        return entry.group is not None and self._groups.get(entry.launched_by or "") != entry.group


def _find_obstacle(entry: Entry, in_use: _InUse, rules: Rules, room: BudgetRoom) -> WaitReason | None:
    if entry.prospect != NO_PREDECESSORS:
        return WaitReason.PREDECESSORS
    if entry.name is not None and entry.name in in_use.names:
        return WaitReason.NAME
    if rules.max_running is not None and in_use.slots >= rules.max_running:
        return WaitReason.SLOT
    group_slots = None if entry.group is None else rules.groups.get(entry.group)
    is_full = group_slots is not None and in_use.group_slots[entry.group] >= group_slots
    if is_full and in_use.needs_group_slot(entry):
        return WaitReason.SLOT
    return None if room.find_wait(entry) is None else WaitReason.BUDGET
