"""The names of Claude Code's built-in tools, to find typing errors in permission rules; loaded only with such rules."""

from __future__ import annotations

import difflib

_TOOLS = (
    "Agent AskUserQuestion Bash BashOutput CronCreate CronDelete CronList Edit EnterPlanMode EnterWorktree "
    "ExitPlanMode ExitWorktree Glob Grep KillShell LSP ListAgents Monitor MultiEdit NotebookEdit Read ReportFindings "
    "ScheduleWakeup SendMessage Skill Task TaskCreate TaskGet TaskList TaskOutput TaskStop TaskUpdate TodoWrite "
    "ToolSearch WebFetch WebSearch Workflow Write"
)
TOOLS = frozenset(_TOOLS.split())
"""The built-in tools of Claude Code 2.1.331 and the releases before it."""


def similar_tool(rule: str) -> str | None:
    """Return the built-in tool that an unknown tool in a rule such as `Bahs(make:*)` is probably meant to be.

    None for built-in tools, tools of MCP servers, patterns, and names without any resemblance, which may be newer.
    """
    name = rule.partition("(")[0].strip()
    if name in TOOLS or name.startswith("mcp__") or not name.isalpha():
        return None
    lower = {tool.lower(): tool for tool in TOOLS}
    return next((lower[match] for match in difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.7)), None)
