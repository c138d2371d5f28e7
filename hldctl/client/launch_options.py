"""The options of `launch` and `continue_`, for type checkers; scripts/generate.py makes them of the declared ones."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict


class LaunchOptions(TypedDict, total=False):
    """The options of a session. None is the same as absent."""

    title: str | None
    """A title, shown in lists."""
    working_dir: str | os.PathLike[str] | None
    """Directory in which Claude Code works."""
    create_dir: bool | None
    """Create the working directory if it is missing."""
    name: str | None
    """A name to use instead of the id. Only one session with it runs at a time."""
    if_running: str | None
    """What to do if a session with that name is already running. Default: fail."""
    after: str | Sequence[str] | None
    """Start when this session has completed; if it fails, this one fails, too. Commas separate several."""
    after_any: str | Sequence[str] | None
    """Start when this session has ended, however it ended. Commas separate several."""
    if_over_budget: str | None
    """What to do if a budget does not allow another session now. Default: queue."""
    worktree: str | bool | None
    """Work in a new git worktree, on a branch hldctl/NAME; without a name, one is chosen."""
    base: str | None
    """Branch, tag or commit that the worktree starts from. Default: HEAD."""
    with_changes: bool | None
    """Copy uncommitted and untracked work into the worktree; the checkout stays as it is."""
    rehearse: str | os.PathLike[str] | None
    """Play a script in place of the model: no account, no cost."""
    model: str | None
    """Model: opus, sonnet, haiku, or a full id."""
    fallback_model: str | None
    """Model to use while the other one is overloaded; commas separate several, in their order."""
    effort: str | None
    """How much the model thinks: low, medium, high, xhigh or max."""
    agent: str | None
    """Agent that does the work, one of --agents, of the project or of Claude Code."""
    json_schema: Mapping[str, Any] | str | os.PathLike[str] | None
    """JSON Schema that the result has to fit; without such a result the session has failed."""
    tools: str | Sequence[str] | None
    """Tool of Claude Code that the model has; commas separate several, an empty value is for none."""
    add_dir: str | Sequence[str | os.PathLike[str]] | None
    """Additional directory that tools may use."""
    max_turns: int | None
    """Stop after N turns."""
    max_budget_usd: float | None
    """Stop once this much has been spent."""
    system_prompt: str | None
    """Replace Claude Code's system prompt."""
    append_system_prompt: str | None
    """Append this to the system prompt."""
    custom_instructions: str | None
    """More instructions to append to the system prompt."""
    permission_mode: str | None
    """Claude Code's permission mode: default, acceptEdits, plan, bypassPermissions…"""
    permission_prompt_tool: str | None
    """An MCP tool of yours that answers permission requests."""
    allowed_tools: str | Sequence[str] | None
    """Allow this tool without asking; commas separate several tools."""
    disallowed_tools: str | Sequence[str] | None
    """Forbid this tool; commas separate several tools."""
    mcp_config: Mapping[str, Any] | str | os.PathLike[str] | None
    """MCP servers."""
    settings: Mapping[str, Any] | str | os.PathLike[str] | None
    """Claude Code settings."""
    agents: Mapping[str, Any] | str | os.PathLike[str] | None
    """Agents that the model can use; with --agent, one of them does the work."""
    env: Mapping[str, str] | Sequence[str] | None
    """Set a variable; continuations inherit it."""
    approvals: bool | None
    """Ask for permission through `hldctl approvals`, or let Claude Code decide. On by default at a terminal."""
    auto_accept_edits: bool | None
    """Allow edits of the project's plain files without asking."""
    dangerously_skip_permissions: bool | None
    """Allow everything without asking."""
    dangerously_skip_permissions_timeout: timedelta | str | None
    """Allow everything without asking, for this long."""
    approval_timeout: str | None
    """What to do with an unanswered request, and when: 30m=deny."""
    question_timeout: str | None
    """What to do with an unanswered question of the model, and when: 10m=first takes the first choice."""
    on_approval: str | None
    """Command to run for each request, which it receives as JSON on standard input, or a preset as with --on-end."""
    from_session: bool | None
    """Let the session itself answer permission requests and widen permissions."""
    timeout: timedelta | str | None
    """Stop the session if it is still running after this long, such as 30m."""
    idle_timeout: timedelta | str | None
    """Stop the session after this long without output while no tool runs."""
    stall: timedelta | str | None
    """End Claude Code, and retry with --retries, after this long without output while the model is expected to
    answer."""
    profile: str | None
    """Use the options of this profile of the configuration, except those given here."""
    group: str | None
    """Take one of the slots that the configuration gives this group."""
    retries: int | None
    """Retry up to N times after an API error or a crash; at most 1000."""
    wait_for_reset: bool | None
    """Continue when a rate limit has been reset."""
    fail_on_denial: bool | None
    """Count the session as failed if any tool call was denied."""
    check: str | None
    """Command that has to succeed before the session is completed; if it fails, the model gets its output and
    continues."""
    check_tries: int | None
    """After how many failed checks the session has failed. Default: 3."""
    keep_open: bool | None
    """After its turn, wait for messages (`hldctl send`) until it is closed (`hldctl close`)."""
    private: bool | None
    """Keep the session out of the record of the fleet: nothing of it leaves this machine."""
    on_end: str | None
    """Command to run when the session ends, with the session as JSON on standard input; or `desktop`, `mail
    [ADDRESS]` or `webhook URL`."""
