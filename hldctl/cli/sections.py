"""How `hldctl --help` and the manual group the commands."""

from __future__ import annotations

SECTIONS = {
    "Sessions": ("launch", "continue", "wait", "interrupt", "set"),
    "Looking": ("ls", "show", "tail", "top", "events", "export", "stats"),
    "Permissions": ("approvals", "approve", "deny"),
    "Keeping house": ("rm", "prune", "config", "doctor"),
}
