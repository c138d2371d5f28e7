"""Claude Code's command line and its transcript of a conversation.

Every local user can read the arguments of a process, so the prompt is passed on standard input and system prompts in
files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hldctl.claude import input_messages
from hldctl.claude.settings import ClaudeSettings
from hldctl.claude.stream import mapping
from hldctl.errors import BadUsage
from hldctl.paths import SessionFiles

MAX_ARGUMENT_BYTES = 1 << 17
"""The kernel's limit for one argument, which includes a NUL byte."""
# Claude Code's options that select the conversation, and whether a value may follow.
_CONVERSATION_OPTIONS = {
    "--session-id": True,
    "--resume": True,
    "-r": True,
    "--from-pr": True,
    "--continue": False,
    "-c": False,
    "--fork-session": False,
}
# Claude Code's options with which it writes no stream that hldctl can read, or leaves its process (2.1.332).
_INCOMPATIBLE_OPTIONS = frozenset(
    {
        *("--output-format", "--input-format", "--replay-user-messages"),
        *("--bg", "--background", "--cloud", "--desktop", "--remote-control", "--teleport", "--tmux"),
        *("--help", "-h", "--version", "-v"),
    }
)
# The options that only work with -p (2.1.332), and whether a value may follow.
_PRINT_OPTIONS = {
    **dict.fromkeys(("--json-schema", "--max-budget-usd", "--max-turns", "--permission-prompt-tool"), True),
    **dict.fromkeys(("--permission-prompts",), True),
    **dict.fromkeys(("--forward-subagent-text", "--include-hook-events", "--include-partial-messages"), False),
    **dict.fromkeys(("--no-session-persistence", "--prompt-suggestions"), False),
}

# Those that can have several values, each in an argument of its own (2.1.332).
_LISTS = frozenset({"--tools"})


def build_command(
    binary: str,
    settings: ClaudeSettings,
    files: SessionFiles,
    *,
    conversation: Sequence[str],
    hooked: bool,
    asks: bool = False,
    rehearsed: bool = False,
) -> list[str]:
    """Return the command that runs Claude Code with these settings.

    `conversation` is the result of one of the functions below. `hooked` is True if hldctl answers permission requests,
    `asks` if a user does, and `rehearsed` if a rehearsal's script is played.
    """
    arguments = [binary, "-p", *_list_options(settings), *conversation]
    arguments += _single_value_options(settings)
    arguments += _system_prompt_options(settings, files)
    if "--resume" in conversation and settings.fresh_system_prompt:
        arguments += ["--system-prompt-snapshot", "off"]
    if settings.mcp_config is not None:
        arguments += ["--mcp-config", str(files.mcp_config)]
    if settings.agents:
        # Not 2.1.257, but 2.1.332 reads a file; the check before the launch finds that out.
        arguments += ["--agents", str(files.agents)]
    if settings.json_schema is not None:
        arguments += ["--json-schema", json_argument(settings.json_schema)]
    if rehearsed:
        arguments += ["--settings", str(files.settings_for_rehearsal)]
    elif hooked:
        arguments += ["--settings", str(files.settings_with_hook)]
    else:
        arguments += ["--settings", str(files.settings_with_marks)]
    if hooked and settings.permission_mode is None:
        # The default without this option differs between releases, and in some of them a server decides.
        arguments += ["--permission-mode", "default"]
    if asks:
        # Without it, the model has no tool for questions. What it would write to us goes to the hook as well (2.1.332).
        arguments += ["--permission-prompt-tool", "stdio"]
    # These come last: they end a list before them, and separate it from the user's own arguments.
    arguments += input_messages.OPTIONS
    return [*arguments, "--output-format", "stream-json", "--verbose", *settings.extra_arguments]


def build_interactive_command(
    binary: str, settings: ClaudeSettings, files: SessionFiles, conversation_id: str, *, asks: bool
) -> list[str]:
    """Return the command that opens a conversation in the terminal, with the settings that have an effect there.

    `asks` is True if the session asks for permission: here Claude Code asks at the terminal.
    """
    arguments = [binary, *_list_options(settings), *resume_arguments(conversation_id)]
    mode = settings.permission_mode or ("default" if asks else None)
    values = {
        "--model": settings.requested_model,
        "--permission-mode": mode,
        "--effort": settings.effort,
        "--agent": settings.agent,
    }
    for flag, value in values.items():
        if value is not None:
            arguments += [flag, value]
    arguments += _interactive_agents(settings)
    arguments += _system_prompt_options(settings, files)
    if settings.mcp_config is not None:
        arguments += ["--mcp-config", str(files.mcp_config)]
    arguments += ["--settings", str(files.settings_for_open)]
    return [*arguments, *_remove_options(settings.extra_arguments, _CONVERSATION_OPTIONS | _PRINT_OPTIONS)]


def json_argument(value: Mapping[str, Any]) -> str:
    """Return the value as an argument of Claude Code; raise BadUsage if it is too long for one."""
    text = json.dumps(value, separators=(",", ":"))
    if len(text) >= MAX_ARGUMENT_BYTES:
        raise BadUsage(f"--json-schema has {len(text)} bytes; shorten it to less than {MAX_ARGUMENT_BYTES}.")
    return text


def needs_structured_output(schema: Mapping[str, Any] | None, extra_arguments: Sequence[str]) -> bool:
    """Return whether Claude Code gets a JSON Schema that the result has to fit."""
    return schema is not None or has_option(extra_arguments, ("--json-schema",))


def _interactive_agents(settings: ClaudeSettings) -> Iterator[str]:
    """Yield the agents as JSON, since only -p reads a file, and without their MCP servers, which may hold secrets."""
    definitions = {
        name: {key: value for key, value in mapping(definition).items() if key != "mcpServers"}
        for name, definition in (settings.agents or {}).items()
    }
    text = json.dumps(definitions)
    if definitions and len(text) < MAX_ARGUMENT_BYTES:
        yield from ("--agents", text)


def _list_options(settings: ClaudeSettings) -> Iterator[str]:
    lists = {
        "--add-dir": settings.additional_directories,
        "--allowedTools": settings.allowed_tools,
        "--disallowedTools": settings.disallowed_tools,
    }
    for flag, values in lists.items():
        if values:
            yield flag
            yield from values
    if settings.tools is not None:
        # An empty text is none of them.
        yield from ("--tools", *(settings.tools or ("",)))


def new_conversation_arguments(session_id: str, settings: ClaudeSettings) -> list[str]:
    """Return the arguments for a new conversation; none if the user's own arguments select one."""
    return [] if has_conversation_option(settings.extra_arguments) else ["--session-id", session_id]


def fork_arguments(parent_id: str, session_id: str) -> list[str]:
    """Return the arguments for a copy parent_id another conversation.

    Without --fork-session two runs would write to the same transcript.
    """
    return ["--resume", parent_id, "--fork-session", "--session-id", session_id]


def resume_arguments(claude_session_id: str) -> list[str]:
    """Return the arguments that continue the session's own conversation, which no other run writes to."""
    return ["--resume", claude_session_id]


def has_conversation_option(arguments: Sequence[str]) -> bool:
    """Return whether the user's own arguments select the conversation, in which case hldctl must not."""
    return any(argument.partition("=")[0] in _CONVERSATION_OPTIONS for argument in arguments)


def find_incompatible_option(arguments: Sequence[str]) -> str | None:
    """Return the first argument with which hldctl could not read Claude Code's output, or None."""
    names = (argument.partition("=")[0] for argument in arguments)
    return next((name for name in names if name in _INCOMPATIBLE_OPTIONS), None)


def has_worktree_option(arguments: Sequence[str]) -> bool:
    """Return whether the user's own arguments make Claude Code work in a git worktree of its own."""
    return any(argument.partition("=")[0] in ("--worktree", "-w") for argument in arguments)


def has_option(arguments: Sequence[str], flags: Sequence[str]) -> bool:
    """Return whether one of these options is among the user's own arguments."""
    return any(argument.partition("=")[0] in flags for argument in arguments)


def remove_options(arguments: Sequence[str], flags: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments without these options, which have a value, and without their values."""
    return _remove_options(arguments, dict.fromkeys(flags, True))


def remove_conversation_options(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments without those that select the conversation.

    A continuation inherits the rest. With the others it would write to its parent's transcript.
    """
    return _remove_options(arguments, _CONVERSATION_OPTIONS)


def _remove_options(arguments: Sequence[str], removed: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the arguments without these options and their values; the mapping says whether a value may follow."""
    inherited: list[str] = []
    value_follows = is_list = False
    for argument in arguments:
        name, has_value, _ = argument.partition("=")
        if name in removed:
            value_follows = removed[name] and not has_value
            is_list = name in _LISTS
        elif not value_follows or argument.startswith("-"):
            inherited.append(argument)
            value_follows = False
        else:
            value_follows = is_list
    return tuple(inherited)


def _single_value_options(settings: ClaudeSettings) -> Iterator[str]:
    values = {
        "--model": settings.requested_model,
        "--max-turns": settings.max_turns,
        "--max-budget-usd": settings.max_budget_usd,
        "--permission-mode": settings.permission_mode,
        "--permission-prompt-tool": settings.permission_prompt_tool,
        "--effort": settings.effort,
        "--agent": settings.agent,
        "--fallback-model": settings.fallback_model,
    }
    for flag, value in values.items():
        if value is not None:
            yield from (flag, str(value))


def _system_prompt_options(settings: ClaudeSettings, files: SessionFiles) -> Iterator[str]:
    # Claude Code has both options since 2.0.34. The kernel limits an argument to 128 KiB, but not a file.
    if settings.system_prompt is not None:
        yield from ("--system-prompt-file", str(files.system_prompt))
    if settings.appended_prompt is not None:
        yield from ("--append-system-prompt-file", str(files.append_system_prompt))
