"""The tables `budgets` and `groups` of the configuration file: what they may hold, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hldctl.store.budgets.limits import DEFAULT_RESERVE_USD, Budgets, Limit
from hldctl.system.periods import Period

_AMOUNTS = tuple(f"{period}_usd" for period in Period)
RESERVE = "reserve_usd"
ON_BUDGET = "on_budget"
MAX_RUNNING = "max_running"
BUDGET_KEYS = (*_AMOUNTS, RESERVE, ON_BUDGET)
GROUP_KEYS = (MAX_RUNNING, *_AMOUNTS)


class Fault(NamedTuple):
    """A value that a table may not hold."""

    key: str
    """The key within the table."""
    message: str
    """Completes a sentence that begins with the key."""


def find_budget_fault(table: Any) -> Fault | None:
    """Return the first invalid value of the table `budgets`; None if it is valid."""
    if type(table) is not dict:
        return Fault("", f"must be a table with {_listed(BUDGET_KEYS)}, not {table!r}")
    return _find_fault("", table, BUDGET_KEYS)


def find_group_fault(table: Any) -> Fault | None:
    """Return the first invalid value of the table `groups`; None if it is valid."""
    if type(table) is not dict:
        return Fault("", f"must be a table with an entry for each group, such as nightly = 1, not {table!r}")
    faults = (_find_in_group(name, value) for name, value in table.items())
    return next((fault for fault in faults if fault is not None), None)


def _find_in_group(name: str, value: Any) -> Fault | None:
    if type(value) is dict:
        return _find_fault(f"{name}.", value, GROUP_KEYS)
    return None if is_count(value) else Fault(name, f"must be a whole number, 1 or more, or a table, not {value!r}")


def _find_fault(prefix: str, table: Mapping[str, Any], known: tuple[str, ...]) -> Fault | None:
    for key, value in table.items():
        if key not in known:
            return Fault(prefix + key, f"is unknown; the keys are {_listed(known)}")
        if (message := _CHECKS.get(key, _amount_fault)(value)) is not None:
            return Fault(prefix + key, message)
    return None


def _amount_fault(value: Any) -> str | None:
    if type(value) in (int, float) and value == 0:
        return "is 0, so that nothing could ever start; write an amount of dollars, such as 10, or remove the key"
    if type(value) not in (int, float) or not 0 < value < math.inf:
        return f"must be an amount of dollars above 0, such as 10 or 2.50, not {value!r}"
    return None


def _reserve_fault(value: Any) -> str | None:
    if type(value) in (int, float) and 0 <= value < math.inf:
        return None
    return f"must be an amount of dollars, such as 2 or 0.50, not {value!r}"


def _count_fault(value: Any) -> str | None:
    return None if is_count(value) else f"must be a whole number, 1 or more, not {value!r}"


def _command_fault(value: Any) -> str | None:
    return None if type(value) is str and "\0" not in value else f"must be a command, as a text, not {value!r}"


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    RESERVE: _reserve_fault,
    ON_BUDGET: _command_fault,
    MAX_RUNNING: _count_fault,
}


def is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _listed(keys: tuple[str, ...]) -> str:
    return ", ".join(keys)


def group_slots(groups: Mapping[str, Any]) -> dict[str, int]:
    """Return how many sessions of each group may run at once; groups without such a limit are left out."""
    slots = {name: value.get(MAX_RUNNING) if type(value) is dict else value for name, value in groups.items()}
    return {name: count for name, count in slots.items() if count is not None}


def configured_budgets(budgets: Mapping[str, Any], groups: Mapping[str, Any]) -> Budgets:
    """Return the budgets of valid tables `budgets` and `groups`."""
    tables = [(None, budgets), *groups.items()]
    limits = [
        Limit(group, period, float(table[f"{period}_usd"]))
        for group, table in tables
        if isinstance(table, Mapping)
        for period in Period
        if f"{period}_usd" in table
    ]
    return Budgets(tuple(limits), float(budgets.get(RESERVE, DEFAULT_RESERVE_USD)))
