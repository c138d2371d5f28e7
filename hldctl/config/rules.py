"""The rules of admission in the configuration file."""

from __future__ import annotations

from hldctl.config.schema import Configuration
from hldctl.store.admission.rules import Rules


def admission_rules(configuration: Configuration) -> Rules:
    """Return the rules of admission."""
    return Rules(
        max_running=configuration.max_running,
        groups=configuration.group_slots,
        spread_ms=configuration.spread_ms,
        max_launch_depth=configuration.max_launch_depth,
        max_launched=configuration.max_launched,
        budgets=configuration.budgets,
    )
