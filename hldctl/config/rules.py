"""The rules of admission in the configuration file."""

from __future__ import annotations

from hldctl.config.schema import Configuration
from hldctl.store.admission.rules import Rules


def admission_rules(configuration: Configuration) -> Rules:
    """Return the rules of admission."""
    return Rules(configuration.max_running, configuration.group_slots, configuration.spread_ms, configuration.budgets)
