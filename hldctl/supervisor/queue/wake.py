"""Waking of the queued sessions that may start or have to end, and of no other: a queue can be long."""

from __future__ import annotations

from hldctl.config import schema
from hldctl.config.rules import admission_rules
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.store.admission import entries, limits, scheduler
from hldctl.store.admission.rules import Rules
from hldctl.system.error_log import log_exception


def load_rules() -> Rules:
    """Return the rules of admission as they are configured now."""
    try:
        return admission_rules(schema.load())
    except BadUsage:
        # The next launch reports the error. Here, fall back to one slot, so that the queue does not start all at once.
        log_exception()
        return Rules(max_running=1, budgets=None)


def wake_next(state: StateDirectory, account: str) -> None:
    """Wake the session that starts next in a closed account, since its time has changed. Needs an open database."""
    if limits.find(account) is None:
        # Most are open: without parsing the configuration.
        return
    if (session_id := scheduler.next_in_account(account, load_rules())) is not None:
        touch(state.session(session_id).wake_signal)


def wake_startable(state: StateDirectory) -> None:
    """Wake the supervisors of the queued sessions that may start now, or can never start. Needs an open database."""
    if not entries.has_waiting():
        # At the end of most sessions: without parsing the configuration.
        return
    for session_id in scheduler.ids_to_wake(load_rules()):
        touch(state.session(session_id).wake_signal)
