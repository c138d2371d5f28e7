"""Words that users of other tools type, and what hldctl has instead; loaded only after a mistake."""

from __future__ import annotations

from typing import NamedTuple


class Hint(NamedTuple):
    purpose: str
    """Completes "to …"."""
    line: str
    """A command line without `hldctl`; ID and "…" stand for what the user typed after the word."""


def _hints(words: str, purpose: str, line: str) -> dict[str, Hint]:
    return dict.fromkeys(words.split(), Hint(purpose, line))


COMMANDS: dict[str, Hint] = {
    **_hints("run start new create exec spawn ask do prompt claude", "start a session", 'launch "…"'),
    **_hints("resume reply fork", "continue a session", 'continue ID "…"'),
    **_hints("stop kill cancel abort terminate end", "stop a session", "interrupt ID"),
    **_hints("logs log attach follow watch cat", "follow a session's conversation", "tail -f ID"),
    **_hints("ps list status jobs sessions", "list the sessions", "ls"),
    **_hints("inspect info describe get result", "see one session", "show ID"),
    **_hints("delete remove del", "delete a session", "rm ID"),
    **_hints("clean cleanup gc", "see which sessions would be deleted", "prune --older-than 30d --dry-run"),
    **_hints("rename title", "give a session a title", 'set ID --title "…"'),
    **_hints("archive hide", "hide a session in lists", "set ID --archive"),
    **_hints("unarchive", "show a session in lists again", "set ID --unarchive"),
    **_hints("allow accept grant yes", "allow a tool call", "approve APPROVAL"),
    **_hints("reject refuse no", "deny a tool call", "deny APPROVAL"),
    **_hints("requests permissions pending", "see the pending permission requests", "approvals"),
    **_hints("cost costs usage", "see costs and tokens", "stats"),
    **_hints("save download", "write a session to a file", "export ID -o run.html"),
    **_hints("settings configure", "see and change the defaults", "config"),
    **_hints("check diagnose login auth", "find out what is missing", "doctor"),
    **_hints("completion completions", "install the completion for your shell", "--install-completion"),
}
"""What to use instead of an unknown command."""

_LAUNCH_OPTIONS = {
    **dict.fromkeys(("--dir", "--directory", "--cwd", "--cd", "--chdir", "--workdir"), "the directory is -C DIR"),
    **dict.fromkeys(("-p", "--print"), "--wait prints the result, as `claude -p` does"),
    **dict.fromkeys(
        ("-c", "--continue", "-r", "--resume", "--session", "--session-id", "--fork-session", "--from-pr"),
        'to continue a session: hldctl continue ID "…"',
    ),
    **dict.fromkeys(("--detach", "--bg", "--background", "--no-wait"), "sessions run in the background anyway"),
    **dict.fromkeys(("-f", "--tail", "--attach"), "to see the conversation: --follow"),
    **dict.fromkeys(("--file", "--prompt-file", "-i", "--input"), "to read the query from a file: --query-file FILE"),
    **dict.fromkeys(("--prompt", "--query", "-m", "--message"), 'the query is an argument: hldctl launch "…"'),
    **dict.fromkeys(("--budget", "--max-cost", "--max-budget"), "the limit in dollars is --max-budget-usd USD"),
    **dict.fromkeys(("--turns", "--max-steps"), "the limit is --max-turns N"),
    **dict.fromkeys(("--max-time", "--time-limit"), "the limit is --timeout DURATION"),
    **dict.fromkeys(("-e", "--environment"), "variables are --env NAME=VALUE"),
    **dict.fromkeys(("-n",), "a name is --name NAME"),
    **dict.fromkeys(("--allowedTools", "--allow", "--allowed-tool", "--allow-tools"), "write --allowed-tools TOOL"),
    **dict.fromkeys(
        ("--disallowedTools", "--deny-tools", "--disallowed-tool", "--denied-tools"), "write --disallowed-tools TOOL"
    ),
    **dict.fromkeys(
        ("--yolo", "--allow-dangerously-skip-permissions", "--skip-permissions"),
        "to allow everything without asking: --dangerously-skip-permissions",
    ),
    **dict.fromkeys(("--output-format", "--input-format"), "to print the session as JSON: --json"),
    **dict.fromkeys(
        ("--cloud", "--desktop", "--teleport", "--remote-control", "--remote-control-session-name-prefix"),
        "hldctl could not record what Claude Code does there; start it yourself, with `claude`",
    ),
    "-w": "to work in a git worktree: --worktree",
    "--tmux": "sessions need no terminal; to work in a git worktree: --worktree",
    **dict.fromkeys(("--replay-user-messages", "--verbose"), "leave it out; Claude Code gets it from hldctl anyway"),
    **dict.fromkeys(("-v", "--version"), "write hldctl --version, or claude --version for Claude Code's"),
}

OPTIONS: dict[str, dict[str, str]] = {
    "launch": _LAUNCH_OPTIONS,
    "continue": _LAUNCH_OPTIONS,
    "ls": {
        "-a": "archived sessions are shown with --all",
        "-n": "the number of sessions is --limit N",
        "-f": "to see changes: --watch",
        "--follow": "to see changes: --watch",
        "--filter": "filters are --status, --since and --search",
        "-l": "to see all of one session: hldctl show ID",
    },
    "tail": {
        **dict.fromkeys(("--lines", "--tail", "-l"), "the number of events is -n N"),
        "--all": "all is the default; the number of events is -n N",
    },
    "interrupt": dict.fromkeys(("-f", "--force", "-9", "--kill"), "to use force at once: --timeout 0s"),
    "set": {
        "--timeout": "limits are set at the start: hldctl continue ID --timeout DURATION",
    },
    "rm": dict.fromkeys(
        ("-a", "--all"), "to see which ended sessions can be deleted at once: hldctl prune --keep 0 --dry-run"
    ),
    "prune": {
        **dict.fromkeys(("--all", "-a"), "to see what all would be: --keep 0 --dry-run"),
        **dict.fromkeys(("-n", "--dry"), "to delete nothing: --dry-run"),
        **dict.fromkeys(("-y", "--yes"), "to skip the question: --force"),
        **dict.fromkeys(("--days", "--age", "--before"), "the age is --older-than 30d"),
    },
    "wait": {"-f": "to see the conversation: hldctl tail -f ID", "-q": "nothing is printed without --results"},
    "export": {"-f": "the format is --format, or the suffix of -o FILE"},
    "": {
        **dict.fromkeys(("-v", "-version"), "write --version"),
        **dict.fromkeys(("-p", "--print"), 'to run a session and print its result: hldctl launch --wait "…"'),
        **dict.fromkeys(("-c", "--continue", "-r", "--resume"), 'to continue a session: hldctl continue ID "…"'),
    },
}
"""What to use instead of an unknown option, by command; those of `hldctl` itself are under the empty name."""

_CLAUDE_OPTIONS_WITH_VALUE = (
    "--autocompact --betas --debug-file --permission-prompts --plugin-dir --plugin-url --setting-sources "
    "--system-prompt-snapshot"
)
_CLAUDE_FLAGS = (
    "-d --debug --ax-screen-reader --bare --brief --chrome --no-chrome --disable-slash-commands "
    "--exclude-dynamic-system-prompt-sections --forward-subagent-text --ide --include-hook-events "
    "--include-partial-messages --no-session-persistence --prompt-suggestions --restricted --safe-mode "
    "--strict-mcp-config"
)
CLAUDE_OPTIONS = dict.fromkeys(_CLAUDE_OPTIONS_WITH_VALUE.split(), True) | dict.fromkeys(_CLAUDE_FLAGS.split(), False)
"""The options of Claude Code 2.1.332 that hldctl does not have; true for those that need a value."""
