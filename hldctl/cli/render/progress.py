"""One line about the sessions that a command waits for."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.text import Text

from hldctl.cli.render.activity import STYLES, describe_activity
from hldctl.cli.render.format import clock, dollars
from hldctl.sessions.inspect.activity import Activity
from hldctl.store.session import Session

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def line(waited: Mapping[str, Session], activities: Mapping[str, Activity]) -> Text:
    """Return what the sessions do, for how long, and their cost; of several, the number that has ended as well."""
    now = time.time()
    elapsed = now - min((session.started_at or session.created_at for session in waited.values()), default=now) / 1000
    parts = [Text(f"{_SPINNER[int(now) % len(_SPINNER)]} {clock(elapsed)}", "bold")]
    running = [activities[session_id] for session_id in waited if session_id in activities]
    if len(waited) > 1:
        parts.append(Text(f"{len(waited) - len(running)} of {len(waited)} ended"))
    if running:
        text, lasted = describe_activity(running[0], now)
        parts.append(Text(f"{text} {lasted}".rstrip(), STYLES.get(running[0].kind, "")))
    if costs := [session.cost_usd for session in waited.values() if session.cost_usd is not None]:
        parts.append(Text(dollars(sum(costs)), "dim"))
    return Text("  ").join(parts)
