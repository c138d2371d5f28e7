"""The command line of Claude Code. Every local user can read it: the query goes by standard input, prompts by files.

Claude Code's own record of a conversation, without which it cannot be taken up again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hldctl.claude.settings import ClaudeSettings
from hldctl.paths import SessionFiles

_CHOOSES_CONVERSATION = {
    "--session-id": True,
    "--resume": True,
    "-r": True,
    "--from-pr": True,
    "--continue": False,
    "-c": False,
    "--fork-session": False,
}
"""Flags of Claude Code, and whether a value may follow."""


def command(
    binary: str,
    settings: ClaudeSettings,
    files: SessionFiles,
    *,
    conversation: Sequence[str],
    hooked: bool,
    rehearsed: bool = False,
) -> list[str]:
    """The arguments that run `settings`; `conversation` is what one of the functions below gives, `hooked` says
    whether hldctl answers permission requests, `rehearsed` whether a script is played.
    """
    arguments = [binary, "-p", *_lists(settings), *conversation]
    arguments += _single_values(settings)
    arguments += _prompts(settings, files)
    if "--resume" in conversation and settings.fresh_system_prompt:
        arguments += ["--system-prompt-snapshot", "off"]
    if settings.mcp_config is not None:
        arguments += ["--mcp-config", str(files.mcp_config)]
    if rehearsed:
        arguments += ["--settings", str(files.settings_for_rehearsal)]
    elif hooked:
        arguments += ["--settings", str(files.settings_with_hook)]
    else:
        arguments += ["--settings", str(files.settings_with_marks)]
    if hooked and settings.permission_mode is None:
        # What it is without this differs between releases, and in some a server decides.
        arguments += ["--permission-mode", "default"]
    # Flags that take no value come last, so that a list before them, and the user's own words after, end at them.
    return [*arguments, "--output-format", "stream-json", "--verbose", *settings.extra_arguments]


def _lists(settings: ClaudeSettings) -> Iterator[str]:
    lists = {
        "--add-dir": settings.additional_directories,
        "--allowedTools": settings.allowed_tools,
        "--disallowedTools": settings.disallowed_tools,
    }
    for flag, values in lists.items():
        if values:
            yield flag
            yield from values


def new_conversation(session_id: str, settings: ClaudeSettings) -> list[str]:
    return [] if names_conversation(settings.extra_arguments) else ["--session-id", session_id]


def forked_conversation(of: str, session_id: str) -> list[str]:
    """Another's, as it is now. Without --fork-session two runs would write into one transcript."""
    return ["--resume", of, "--fork-session", "--session-id", session_id]


def same_conversation(claude_session_id: str) -> list[str]:
    """The session's own, which nobody else writes."""
    return ["--resume", claude_session_id]


def names_conversation(arguments: Sequence[str]) -> bool:
    """Whether a user's own words choose the conversation, which is then not for us to choose."""
    return any(argument.partition("=")[0] in _CHOOSES_CONVERSATION for argument in arguments)


def without_conversation(arguments: Sequence[str]) -> tuple[str, ...]:
    """The words that a continuation inherits: with the others it would write into its parent's transcript."""
    kept: list[str] = []
    value_follows = False
    for argument in arguments:
        name, has_value, _ = argument.partition("=")
        if name in _CHOOSES_CONVERSATION:
            value_follows = _CHOOSES_CONVERSATION[name] and not has_value
        elif not value_follows or argument.startswith("-"):
            kept.append(argument)
            value_follows = False
        else:
            value_follows = False
    return tuple(kept)


def _single_values(settings: ClaudeSettings) -> Iterator[str]:
    values = {
        "--model": settings.requested_model,
        "--max-turns": settings.max_turns,
        "--max-budget-usd": settings.max_budget_usd,
        "--permission-mode": settings.permission_mode,
        "--permission-prompt-tool": settings.permission_prompt_tool,
    }
    for flag, value in values.items():
        if value is not None:
            yield from (flag, str(value))


def _prompts(settings: ClaudeSettings, files: SessionFiles) -> Iterator[str]:
    # Claude Code has both flags since 2.0.34. The kernel allows an argument 128 KiB, and a file any length.
    if settings.system_prompt is not None:
        yield from ("--system-prompt-file", str(files.system_prompt))
    if settings.appended_prompt is not None:
        yield from ("--append-system-prompt-file", str(files.append_system_prompt))


def has_transcript(claude_session_id: str, environment: Mapping[str, str], working_dir: str) -> bool:
    """Whether Claude Code has begun to write it: not before its first request is out, later than its `init` (2.1.330).

    `environment` is Claude Code's.
    """
    home = environment.get("HOME") or os.path.expanduser("~")
    directory = Path(working_dir, environment.get("CLAUDE_CONFIG_DIR") or Path(home, ".claude"))
    return any((directory / "projects").glob(f"*/{claude_session_id}.jsonl"))
