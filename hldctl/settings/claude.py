"""Settings that a session passes to Claude Code and that the database stores."""

from __future__ import annotations

from dataclasses import dataclass

from hldctl.errors import BadUsage
from hldctl.settings.option import (
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


def _permission_mode(text: str) -> str:
    """Return the mode; raise BadUsage for one that Claude Code would refuse."""
    if text not in PERMISSION_MODES:
        raise BadUsage(f"{text!r} is not a permission mode; write one of {', '.join(PERMISSION_MODES)}.")
    return text


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
            project=ProjectRule("yes", lambda value, own: not value.startswith("-")),
        ),
        exposure=HIDDEN,
    )
    """The model that was requested; `model` is the one that the session has."""
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
