"""The user's `on_budget` command: run once for each alert, even if supervisors die.

The supervisor that has recorded a cost records the alerts that are due, then starts their commands. What one of them
leaves undone, the next one does that records a cost or adopts a session.
"""

from __future__ import annotations

import os
from typing import Any

from hldctl.config import schema
from hldctl.errors import BadUsage
from hldctl.paths import COMMAND_TOKEN, SessionFiles, StateDirectory
from hldctl.private_files import PRIVATE_DIRECTORY
from hldctl.store.budgets import alerts
from hldctl.store.budgets.alerts import Alert
from hldctl.store.session import Session
from hldctl.system.clock import current_time_ms, format_rfc3339
from hldctl.system.error_log import log_exception

_VARIABLES = ("budget", "group", "period", "percent", "spent_usd", "limit_usd", "since", "until")


class BudgetAlerts:
    """The alerts that a session's costs may cause."""

    def __init__(self, state: StateDirectory, session: Session) -> None:
        self._state = state
        self._files = state.session(session.id)
        self._rehearsed: bool = session.rehearsed
        self._seen_costs = -1

    def look(self, costs: int) -> None:
        """Start what is due, if the number of recorded costs is another one than before; the first time always."""
        if costs != self._seen_costs:
            self._seen_costs = costs
            _run_due(self._state, self._files, rehearsed=self._rehearsed)


def _run_due(state: StateDirectory, files: SessionFiles, *, rehearsed: bool) -> None:
    try:
        configuration = schema.load()
    except BadUsage:
        # The next launch reports it. What is due now is found when the file has been corrected.
        log_exception()
        return
    if configuration.on_budget is None or not configuration.budgets.limits:
        return
    alerts.record_due(configuration.budgets, current_time_ms(), rehearsed=rehearsed)
    for alert in alerts.pending():
        try:
            _start(state, files, configuration.on_budget, alert)
        except OSError:
            # It stays pending.
            log_exception()
        else:
            alerts.mark_done(alert.id)


def _start(state: StateDirectory, files: SessionFiles, command: str, alert: Alert) -> None:
    # Imported here: few supervisors run such a command, and each would keep the memory for its lifetime.
    from hldctl.user_commands import start

    fields = alert_object(alert)
    # A command of the user, not of the session within which this one may have been launched.
    environment = {name: value for name, value in os.environ.items() if name != COMMAND_TOKEN}
    environment |= {"HLDCTL_SESSION_ID": "budget", "HLDCTL_HOME": str(state.root)}
    state.budget_alerts.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    start.start(
        "on_budget",
        command,
        # Of all shells started for the alert, the one that creates the directory runs the command.
        start.CommandFiles(files.budget_script, files.budget_failure, state.budget_alerts / alert.id),
        files,
        fields,
        {**environment, **start.variables(fields, _VARIABLES)},
        cwd="/",
    )


def alert_object(alert: Alert) -> dict[str, Any]:
    """Return what the command gets on standard input."""
    return {
        "budget": alert.key,
        "group": alert.group or None,
        "period": alert.period,
        "percent": alert.percent,
        "spent_usd": alert.spent_usd,
        "limit_usd": alert.limit_usd,
        "since": format_rfc3339(alert.since),
        "until": format_rfc3339(alert.until),
        "rehearsed": alert.rehearsed,
    }
