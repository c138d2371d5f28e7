"""The check of options that only Claude Code can judge, before a session is created."""

from __future__ import annotations

import os

from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.paths import StateDirectory


def require_accepted(state: StateDirectory, claude_path: str, settings: ClaudeSettings) -> None:
    """Raise BadUsage for an option that Claude Code refuses, or an agent that it does not have: it would ignore that.

    Takes 0.3 s, in sessions with such options only.
    """
    if settings.agents is None and settings.agent is None:
        return
    # Imported here: few sessions have such options.
    from hldctl.claude import option_check
    from hldctl.claude.environment import session_environment

    variables = session_environment(
        os.environ, settings.environment, session_id="", run_id="", state_directory=state.root
    )
    verdict = option_check.check_options(claude_path, settings, variables, os.path.expanduser(settings.working_dir))
    if verdict.agents_error is not None:
        if verdict.agents_error.startswith("invalid JSON"):
            raise UnfitEnvironment(f"Claude Code at {claude_path} cannot read --agents from a file; upgrade it.")
        raise BadUsage(f"--agents is refused by Claude Code: {verdict.agents_error}.")
    if settings.agent is not None and verdict.available_agents is not None:
        _require_agent(settings, settings.agent, verdict.available_agents)


def _require_agent(settings: ClaudeSettings, agent: str, available: tuple[str, ...]) -> None:
    # Arguments and settings may bring plugins, with agents of their own.
    if agent in available or settings.extra_arguments or settings.claude_settings:
        return
    raise BadUsage(
        f"--agent {agent}: Claude Code has no such agent in {os.path.abspath(settings.working_dir)}; write one of "
        f"{', '.join(available)}, or define it with --agents."
    )
