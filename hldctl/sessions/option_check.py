"""The check of options that only Claude Code can judge, before a session is created."""

from __future__ import annotations

import os

from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.paths import StateDirectory


def require_accepted(state: StateDirectory, claude_path: str, settings: ClaudeSettings) -> None:
    """Raise BadUsage for an option that Claude Code refuses, or an agent that it does not have: it would ignore that.

    Takes 0.3 s for agents and for a schema, and nothing without them.
    """
    if settings.agents is None and settings.agent is None and settings.json_schema is None:
        return
    # Imported here: few sessions have such options.
    from hldctl.claude import option_check
    from hldctl.claude.environment import session_environment

    variables = session_environment(
        os.environ, settings.environment, session_id="", run_id="", state_directory=state.root
    )
    if settings.json_schema is not None:
        error = option_check.find_schema_error(claude_path, settings.json_schema, variables)
        if error is not None:
            raise BadUsage(f"--json-schema is refused by Claude Code: it {error}.")
    if settings.agents is None and settings.agent is None:
        return
    verdict = option_check.check_agents(claude_path, settings, variables, os.path.expanduser(settings.working_dir))
    if verdict.error is not None:
        if verdict.error.startswith("invalid JSON"):
            raise UnfitEnvironment(f"Claude Code at {claude_path} cannot read --agents from a file; upgrade it.")
        raise BadUsage(f"--agents is refused by Claude Code: {verdict.error}.")
    if settings.agent is not None and verdict.available is not None:
        _require_agent(settings, settings.agent, verdict.available)


def _require_agent(settings: ClaudeSettings, agent: str, available: tuple[str, ...]) -> None:
    # Arguments and settings may bring plugins, with agents of their own.
    if agent in available or settings.extra_arguments or settings.claude_settings:
        return
    raise BadUsage(
        f"--agent {agent}: Claude Code has no such agent in {os.path.abspath(settings.working_dir)}; write one of "
        f"{', '.join(available)}, or define it with --agents."
    )
