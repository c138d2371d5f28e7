"""Settings that a session passes to Claude Code and that the database stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hldctl.errors import BadUsage
from hldctl.settings.option import (
    ANY_VALUE,
    DOLLARS,
    FIRST,
    HIDDEN,
    NO_HIGHER,
    TEXT,
    TEXTS,
    TOOLS,
    Kind,
    Option,
    ProjectRule,
    Section,
    column,
    number,
    setting,
)

PERMISSION_MODES = ("default", "acceptEdits", "plan", "auto", "dontAsk", "manual", "bypassPermissions")
"""The permission modes of Claude Code 2.1.330."""


WIDE_MODES = ("acceptEdits", "auto", "bypassPermissions")
"""The modes in which calls are allowed that nobody sees."""


def _permission_mode(text: str) -> str:
    """Return the mode; raise BadUsage for one that Claude Code would refuse."""
    if text not in PERMISSION_MODES:
        raise BadUsage(f"{text!r} is not a permission mode; write one of {', '.join(PERMISSION_MODES)}.")
    return text


EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""The levels of effort of Claude Code 2.1.332, which ignores any other."""


def _effort(text: str) -> str:
    """Return the level; raise BadUsage for one that Claude Code would ignore. An empty text is the model's default."""
    if text and text.lower() not in EFFORTS:
        raise BadUsage(f"{text!r} is not a level of effort; write one of {', '.join(EFFORTS)}.")
    return text.lower()


def _is_no_option(value: str, own: str | None) -> bool:
    return not value.startswith("-")


_LEVEL = Kind(f"one of {', '.join(EFFORTS)}", lambda value: value in EFFORTS, _effort, "LEVEL")
_MODE = Kind(f"one of {', '.join(PERMISSION_MODES)}", lambda value: value in PERMISSION_MODES, _permission_mode, "MODE")


# Only `ClaudeSettings`, which adds what is not stored, is instantiated.
@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class ClaudeOptions:
    """The settings of Claude Code that are columns of a session."""

    requested_model: str | None = setting(
        None,
        Option(
            "model",
            TEXT,
            "Model: opus, sonnet, haiku, or a full id.",
            metavar="MODEL",
            config="The model of new sessions, as with --model.",
            example='"opus"',
            suggestions=("opus", "sonnet", "haiku"),
            section=Section.CLAUDE,
            # It could be read as an option.
            project=ProjectRule("yes", _is_no_option),
            claude_flags=("--model",),
        ),
        exposure=HIDDEN,
    )
    """The model that was requested; `model` is the one that the session has."""
    fallback_model: str | None = setting(
        None,
        Option(
            "fallback_model",
            TEXT,
            "Model to use while the other one is overloaded; commas separate several, in their order.",
            metavar="MODEL",
            config="The model to use while the other one is overloaded, as with --fallback-model.",
            example='"sonnet,haiku"',
            suggestions=("opus", "sonnet", "haiku"),
            section=Section.CLAUDE,
            # It could be read as an option.
            project=ProjectRule("yes", _is_no_option),
            claude_flags=("--fallback-model",),
        ),
    )
    """The models to use while the other one is overloaded, with commas; None without any."""
    effort: str | None = setting(
        None,
        Option(
            "effort",
            _LEVEL,
            f"How much the model thinks: {', '.join(EFFORTS[:-1])} or {EFFORTS[-1]}.",
            config="How much the model thinks, as with --effort.",
            example='"high"',
            suggestions=EFFORTS,
            section=Section.CLAUDE,
            project=ANY_VALUE,
            claude_flags=("--effort",),
        ),
    )
    """How much the model thinks; None for the default of Claude Code, which depends on the model."""
    agent: str | None = setting(
        None,
        Option(
            "agent",
            TEXT,
            "Agent that does the work, one of --agents, of the project or of Claude Code.",
            metavar="NAME",
            config="The agent that does the work, as with --agent.",
            example='"reviewer"',
            suggestions=("Explore", "Plan", "general-purpose"),
            section=Section.CLAUDE,
            claude_flags=("--agent",),
        ),
        trusted=True,
    )
    """The agent that does the work; None for Claude Code itself, or the agent in its own settings."""
    agent_names: tuple[str, ...] = setting(())
    """The names of the agents given with --agents; their definitions are in a private file."""
    json_schema: dict[str, Any] | None = setting(
        None,
        Option(
            "json_schema",
            TEXT,
            "JSON Schema that the result has to fit; without such a result the session has failed.",
            metavar="FILE|JSON",
            section=Section.CLAUDE,
            claude_flags=("--json-schema",),
        ),
    )
    """The JSON Schema that the result has to fit; None if the result is a text."""
    tools: tuple[str, ...] | None = setting(
        None,
        Option(
            "tools",
            TOOLS,
            "Tool of Claude Code that the model has; commas separate several, an empty value is for none.",
            config="The built-in tools that the model has, as with --tools; an empty list for none.",
            example='["Read", "Grep", "Glob"]',
            suggestions=("default", "Bash", "Edit", "Glob", "Grep", "Read", "WebFetch", "WebSearch", "Write"),
            section=Section.PERMISSIONS,
            claude_flags=("--tools",),
        ),
        trusted=True,
    )
    """The tools of Claude Code that the model has, empty for none; None for the usual ones."""
    working_dir: str = column(exposure=FIRST)
    """The directory in which Claude Code works, an absolute path."""
    additional_directories: tuple[str, ...] = setting(
        (),
        Option(
            "add_dir",
            TEXTS,
            "Additional directory that tools may use.",
            metavar="DIR",
            section=Section.PERMISSIONS,
        ),
        exposure=FIRST,
    )
    """Other directories that tools may use, as absolute paths."""
    max_turns: int | None = setting(
        None,
        Option(
            "max_turns",
            number(1, 2**31),
            "Stop after N turns.",
            config="Stop sessions after this many turns, as with --max-turns.",
            example="50",
            is_inherited=False,
            section=Section.LIMITS,
            project=NO_HIGHER,
            claude_flags=("--max-turns",),
        ),
        exposure=FIRST,
    )
    """The number of turns after which it stops; None without a limit."""
    max_budget_usd: float | None = setting(
        None,
        Option(
            "max_budget_usd",
            DOLLARS,
            "Stop once this much has been spent.",
            config="Stop sessions once this much has been spent, as with --max-budget-usd.",
            example="2.50",
            section=Section.LIMITS,
            project=NO_HIGHER,
            claude_flags=("--max-budget-usd",),
        ),
        exposure=FIRST,
    )
    """The cost in US dollars at which it stops; None without a limit."""
    system_prompt: str | None = setting(
        None,
        Option(
            "system_prompt",
            TEXT,
            "Replace Claude Code's system prompt.",
            metavar="TEXT",
            section=Section.CLAUDE,
        ),
        exposure=FIRST,
    )
    """The text that replaces Claude Code's system prompt; None without one."""
    append_system_prompt: str | None = setting(
        None,
        Option(
            "append_system_prompt",
            TEXT,
            "Append this to the system prompt.",
            metavar="TEXT",
            config="A text that is appended to the system prompt, as with --append-system-prompt.",
            example='"Never push."',
            section=Section.CLAUDE,
        ),
        exposure=FIRST,
    )
    """The text that is appended to the system prompt; None without one."""
    custom_instructions: str | None = setting(
        None,
        Option(
            "custom_instructions",
            TEXT,
            "More instructions to append to the system prompt.",
            metavar="TEXT",
            section=Section.CLAUDE,
        ),
        exposure=FIRST,
    )
    """More instructions that are appended to the system prompt; None without any."""
    permission_mode: str | None = setting(
        None,
        Option(
            "permission_mode",
            _MODE,
            "Claude Code's permission mode: default, acceptEdits, plan, bypassPermissions…",
            config="Claude Code's permission mode, as with --permission-mode.",
            example='"acceptEdits"',
            suggestions=PERMISSION_MODES,
            section=Section.PERMISSIONS,
            project=ProjectRule(
                "only `plan`, if yours is absent or `default`",
                lambda value, own: value == "plan" and own in (None, "default", "manual"),
            ),
            claude_flags=("--permission-mode",),
        ),
        trusted=True,
        exposure=FIRST,
    )
    """Claude Code's permission mode; None for Claude Code's own default."""
    permission_prompt_tool: str | None = setting(
        None,
        Option(
            "permission_prompt_tool",
            TEXT,
            "An MCP tool of yours that answers permission requests.",
            metavar="TOOL",
            section=Section.PERMISSIONS,
            claude_flags=("--permission-prompt-tool",),
        ),
        exposure=FIRST,
    )
    """The MCP tool of the user that answers permission requests; None without one."""
    allowed_tools: tuple[str, ...] = setting(
        (),
        Option(
            "allowed_tools",
            TOOLS,
            "Allow this tool without asking; commas separate several tools.",
            config="Tools that are allowed without asking, as with --allowed-tools, which replaces them; an empty "
            "value allows none.",
            example='["Read", "Bash(git log:*)"]',
            section=Section.PERMISSIONS,
        ),
        trusted=True,
        exposure=FIRST,
    )
    """The tools that are allowed without asking."""
    disallowed_tools: tuple[str, ...] = setting(
        (),
        Option(
            "disallowed_tools",
            TOOLS,
            "Forbid this tool; commas separate several tools.",
            config="Tools that are forbidden, as with --disallowed-tools, which replaces them; an empty value forbids "
            "none.",
            example='["WebFetch", "Bash(git push:*)"]',
            section=Section.PERMISSIONS,
            project=ProjectRule("only with all of yours", lambda value, own: own is None or set(own) <= set(value)),
        ),
        trusted=True,
        exposure=FIRST,
    )
    """The tools that are forbidden."""
    fresh_system_prompt: bool = setting(False, exposure=HIDDEN)
    """True if a resumed conversation gets a new system prompt; otherwise it keeps its first one (2.1.330)."""
    extra_arguments: tuple[str, ...] = setting((), exposure=HIDDEN, trusted=True)
    """Passed to Claude Code unchanged."""
