"""Texts of the help and the manual pages: sections of commands, examples, and exit codes."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.errors import ExitCode

SECTIONS = {
    "Sessions": ("launch", "continue", "send", "close", "open", "import", "wait", "interrupt", "set", "land"),
    "Inspect": ("ls", "show", "tail", "search", "top", "events", "export", "stats", "diff"),
    "Permissions": ("approvals", "approve", "deny", "answer"),
    "Maintenance": ("rm", "prune", "fleet", "mcp", "schema", "config", "doctor"),
}


class Example(NamedTuple):
    purpose: str
    line: str


MAIN_EXAMPLES = (
    Example("Start a session", 'hldctl launch "Fix the failing test"'),
    Example("Follow its conversation; Ctrl-C stops following, not the session", "hldctl tail -f last"),
    Example("Wait for it and print its result", "hldctl wait last --results"),
)
"""Examples in `hldctl --help`."""

EXAMPLES = {
    "launch": (
        Example("In a git worktree of its own", 'hldctl launch --worktree "Fix the failing test" -C ~/project'),
        Example(
            "In the foreground like `claude -p`, for at most 30 minutes",
            "hldctl launch --query-file task.md --wait --timeout 30m",
        ),
        Example(
            "Nightly from cron: one run at a time, with retries after API errors",
            'hldctl launch "Update the docs" --name nightly --if-running skip --retries 3',
        ),
    ),
    "continue": (
        Example("Continue the newest session", 'hldctl continue last "And now document it."'),
        Example(
            "Continue with another model, and wait for it",
            'hldctl continue nightly "Try harder." --model opus --wait',
        ),
    ),
    "send": (
        Example("Add to what a running session does", 'hldctl send last "Also update the changelog."'),
        Example("Ask, and print the answer", 'hldctl send --wait review "Which file is the riskiest?"'),
        Example("From a file, also if the session has ended", "hldctl send --or-continue nightly --file notes.md"),
    ),
    "close": (Example("End a session that is kept open", "hldctl close review"),),
    "open": (
        Example("Talk to the newest session in the terminal, once its turn has ended", "hldctl open last"),
        Example("Interrupt it, and send it to the background again afterwards", "hldctl open review --now --continue"),
    ),
    "import": (
        Example("A conversation of Claude Code, by its id", "hldctl import 3f0c2b6e-6c1e-4b57-9a53-0d8a4f0c7a11"),
        Example("From the file of its transcript", "hldctl import ~/.claude/projects/-home-me/3f0c2b6e.jsonl"),
    ),
    "interrupt": (
        Example("Stop the newest session and all its processes", "hldctl interrupt last"),
        Example("Stop all sessions; use force after 5 seconds", "hldctl interrupt --all --timeout 5s"),
    ),
    "ls": (
        Example("Sessions running or waiting for permission", "hldctl ls --status running --status waiting"),
        Example("The most expensive sessions of the last week", "hldctl ls --since 7d --sort cost --limit 10"),
        Example("For a script, one line per session", "hldctl ls --all --format '{id} {status} {cost_usd}'"),
    ),
    "mcp": (Example("For a client that should change nothing", "hldctl mcp --read-only"),),
    "schema": (Example("The fields of a session in JSON", "hldctl schema session"),),
    "top": (Example("Running sessions, with CPU and memory use", "hldctl top"),),
    "show": (
        Example("Result, cost, tokens and settings of the newest session", "hldctl show last"),
        Example("Only the result", "hldctl show nightly --json | jq -r .result_content"),
        Example("The files it read, with their contents at that time", "hldctl show 3f0c2b6e --snapshots"),
    ),
    "tail": (
        Example("Follow the newest session", "hldctl tail -f last"),
        Example("The last ten events of two sessions", "hldctl tail -n 10 nightly 3f0c2b6e"),
        Example("Its tool calls, for a script", "hldctl tail last --json | jq 'select(.event_type == \"tool_call\")'"),
    ),
    "wait": (
        Example("Wait for the newest session; the exit code is its outcome", "hldctl wait last"),
        Example("Wait for several sessions, then print their results", "hldctl wait --results 3f0c2b6e 8d1e40aa"),
        Example("Wait until it asks for permission", "hldctl wait last --until waiting"),
    ),
    "set": (
        Example("Give it a title", "hldctl set last --title 'Parser'"),
        Example("Allow file edits without asking from now on", "hldctl set last --auto-accept-edits"),
        Example("Hide two sessions in lists", "hldctl set 3f0c2b6e 8d1e40aa --archive"),
    ),
    "approvals": (
        Example("Pending permission requests", "hldctl approvals"),
        Example("Each new request, for a script", "hldctl approvals -f --json"),
    ),
    "approve": (
        Example("Go through the pending requests one by one", "hldctl approve"),
        Example("Allow a call, and similar calls for the rest of the session", "hldctl approve 3f2a --always"),
        Example("Allow all pending calls of the tool Read", "hldctl approve --all --tool Read"),
    ),
    "deny": (
        Example("Deny a call, and give the model a reason", "hldctl deny 3f2a --message 'Not on the main branch.'"),
        Example("Deny all requests of a session, and interrupt it", "hldctl deny --all --session last --interrupt"),
    ),
    "answer": (
        Example("Take the second choice", "hldctl answer 3f2a 2"),
        Example("Take several choices of a multiple choice", "hldctl answer 3f2a 1 3"),
        Example(
            "Answer two questions, one in your own words", "hldctl answer 3f2a --question 1=2 --question 2='Both.'"
        ),
    ),
    "search": (
        Example("Who has changed this file, and why", "hldctl search parser.py --since 7d"),
        Example("A phrase in the results of a tool", 'hldctl search "connection refused" --tool Bash'),
        Example("Export each session in which a word occurs", "hldctl search -q deadlock | xargs -n1 hldctl export"),
    ),
    "events": (
        Example("New events from now on", "hldctl events -f --new"),
        Example("Status changes, for a script", "hldctl events -f --new --type session_status_changed --json"),
        Example("Resume after the last event seen", "hldctl events --after 1024"),
    ),
    "export": (
        Example("As Markdown", "hldctl export last > run.md"),
        Example("As a single HTML page", "hldctl export last -o run.html"),
    ),
    "stats": (
        Example("Cost per day of the last week", "hldctl stats --since 7d"),
        Example("Cost per directory, for a spreadsheet", "hldctl stats --by directory --csv > projects.csv"),
    ),
    "diff": (
        Example("What the newest session changed", "hldctl diff last"),
        Example("Only how many lines of which files", "hldctl diff 3f0c2b6e --stat"),
    ),
    "land": (
        Example("As one commit, with the title and the result as its message", "hldctl land last"),
        Example("As its single commits, on another branch", "hldctl land 3f0c2b6e --rebase --into release-2"),
    ),
    "rm": (
        Example("Delete a session that has ended", "hldctl rm 3f0c2b6e"),
        Example("Interrupt and delete the newest session", "hldctl rm --force last"),
    ),
    "prune": (
        Example("Print what would be deleted", "hldctl prune --older-than 30d --dry-run"),
        Example("Keep the 100 most recent; at a terminal, after a question", "hldctl prune --keep 100"),
        Example("Delete old sessions without a question", "hldctl prune --older-than 30d --force"),
    ),
    "fleet": (
        Example("Make a record, once", "hldctl fleet init 'host=db.example.org dbname=hldctl'"),
        Example("On each machine", "hldctl fleet join 'host=db.example.org dbname=hldctl'"),
        Example("The machines, and when each was heard", "hldctl fleet"),
    ),
    "config": (
        Example("Set a default for new sessions", "hldctl config set timeout 2h"),
        Example("Run at most two sessions of a group at once", "hldctl config set groups.review 2"),
        Example("What a session with a profile gets, and from where", "hldctl config --profile review"),
    ),
    "doctor": (
        Example("Diagnose problems", "hldctl doctor"),
        Example("Fix what can be fixed safely", "hldctl doctor --fix"),
    ),
}


VALUE_FORMS = {
    "ID": "The id of a session, its first characters (at least 4), its name, or `last` for the newest session. Of "
    "several sessions with a name, the running one is meant, then a queued one, then the newest.",
    "APPROVAL": "The id of a permission request, or its first characters (at least 4).",
    "REQUEST": "The id of a question, or its first characters (at least 4).",
    "AGE": "30d, 12h, 90m or 45s; a number without a unit is an error.",
    "DURATION": "90s, 30m, 2h, 1h30m or 7d; a number without a unit is in seconds.",
}
"""The forms of the values that several commands take, by metavar."""


EXIT_CODE_MEANINGS = {
    ExitCode.DONE: "Success. If the command waited for sessions: all completed.",
    ExitCode.FAILED: "A session that the command waited for failed.",
    ExitCode.USAGE: "Usage error.",
    ExitCode.NO_SUCH_SESSION: "No such session, or an ambiguous prefix.",
    ExitCode.WRONG_STATE: "Not possible in the session's current state. `wait --until`: completed without that status.",
    ExitCode.ENVIRONMENT: "Environment error: no Claude Code, or an unusable state directory or database.",
    ExitCode.UNWRITABLE: "The session was started or has completed, but standard output is not writable.",
    ExitCode.STILL_RUNNING: "A session had not ended within `wait --timeout`.",
    ExitCode.TIMED_OUT: "The session was stopped by a timeout.",
    ExitCode.INTERRUPTED: "The session or the command was interrupted.",
}

_ALWAYS = (ExitCode.DONE, ExitCode.USAGE, ExitCode.ENVIRONMENT, ExitCode.INTERRUPTED)
_OUTCOMES = (ExitCode.FAILED, ExitCode.TIMED_OUT)
_SESSION, _STATE = ExitCode.NO_SUCH_SESSION, ExitCode.WRONG_STATE
_MORE_EXIT_CODES = {
    "launch": (*_OUTCOMES, _STATE, ExitCode.UNWRITABLE),
    "continue": (*_OUTCOMES, _SESSION, _STATE, ExitCode.UNWRITABLE),
    "wait": (*_OUTCOMES, _SESSION, _STATE, ExitCode.STILL_RUNNING),
    "open": (_SESSION, _STATE, ExitCode.TIMED_OUT),
    "import": (_SESSION, _STATE),
    "interrupt": (_SESSION, _STATE),
    "set": (_SESSION, _STATE),
    "approve": (_SESSION, _STATE),
    "deny": (_SESSION, _STATE),
    "answer": (_SESSION, _STATE),
    "rm": (_SESSION, _STATE),
    "show": (_SESSION,),
    "tail": (*_OUTCOMES, _SESSION),
    "approvals": (_SESSION,),
    "search": (_SESSION,),
    "events": (_SESSION,),
    "export": (_SESSION,),
    "diff": (_SESSION, _STATE),
    "fleet": (_SESSION, _STATE),
    "land": (_SESSION, _STATE),
}


def exit_codes(command: str) -> list[ExitCode]:
    """Return the exit codes that the command has, in ascending order."""
    return sorted((*_ALWAYS, *_MORE_EXIT_CODES.get(command, ())))
