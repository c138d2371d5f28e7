"""How `hldctl --help` and the manual group the commands.

What the help of each command, and its manual page, ends with: what it is for, and the line to type.

What the exit codes mean, in words for a user."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.errors import ExitCode

SECTIONS = {
    "Sessions": ("launch", "continue", "wait", "interrupt", "set"),
    "Inspect": ("ls", "show", "tail", "top", "events", "export", "stats"),
    "Permissions": ("approvals", "approve", "deny"),
    "Maintenance": ("rm", "prune", "config", "doctor"),
}


class Example(NamedTuple):
    purpose: str
    line: str


TOP = (
    Example("Start a session, and look at it", 'hldctl launch "Mend the failing test"'),
    Example("Follow its conversation; Ctrl-C leaves it alone", "hldctl tail -f last"),
    Example("Wait for it, and print what it has to say", "hldctl wait last --results"),
)
"""For hldctl as a whole."""

EXAMPLES = {
    "launch": (
        Example(
            "In the background; the id is all that is printed", 'hldctl launch "Mend the failing test" -C ~/project'
        ),
        Example(
            "In place of `claude -p`, for half an hour at most",
            "hldctl launch --query-file task.md --wait --timeout 30m",
        ),
        Example(
            "Nightly from cron: never twice at once, and on after API errors",
            'hldctl launch "Update the docs" --name nightly --if-running skip --retries 3',
        ),
    ),
    "continue": (
        Example("Go on with the newest session", 'hldctl continue last "And now document it."'),
        Example("With another model, to the end", 'hldctl continue nightly "Try harder." --model opus --wait'),
    ),
    "interrupt": (
        Example("Stop the newest session, and all that it started", "hldctl interrupt last"),
        Example("Stop everything, by force after five seconds", "hldctl interrupt --all --timeout 5s"),
    ),
    "ls": (
        Example("What runs or waits for permission now", "hldctl ls --status running --status waiting_input"),
        Example("The dearest sessions of the last week", "hldctl ls --since 7d --sort cost --limit 10"),
        Example("For a script", "hldctl ls --all --format '{id} {status} {cost_usd}'"),
    ),
    "top": (Example("What runs, with what it uses", "hldctl top"),),
    "show": (
        Example("Result, cost, tokens and settings of the newest session", "hldctl show last"),
        Example("The result alone", "hldctl show nightly --json | jq -r .result_content"),
        Example("What the files held that it read", "hldctl show 3f0c2b6e --snapshots"),
    ),
    "tail": (
        Example("Follow the newest session", "hldctl tail -f last"),
        Example("The last ten events of two sessions", "hldctl tail -n 10 nightly 3f0c2b6e"),
        Example("Its tool calls, for a script", "hldctl tail last --json | jq 'select(.event_type == \"tool_call\")'"),
    ),
    "wait": (
        Example("The exit code says how it ended", "hldctl wait last"),
        Example("Several at once, then their results", "hldctl wait --results 3f0c2b6e 8d1e40aa"),
        Example("Until it asks for permission", "hldctl wait last --until waiting_input"),
    ),
    "set": (
        Example("Give it a title", "hldctl set last --title 'Parser'"),
        Example("Let it edit files unasked from now on", "hldctl set last --auto-accept-edits"),
        Example("Hide it from lists", "hldctl set 3f0c2b6e --archive"),
    ),
    "approvals": (
        Example("What waits for permission", "hldctl approvals"),
        Example("Each request as it comes, for a script", "hldctl approvals -f --json"),
    ),
    "approve": (
        Example("Go through what waits, one by one", "hldctl approve"),
        Example("Allow one, and its like from now on", "hldctl approve 3f2a --always"),
        Example("Allow all that may be read", "hldctl approve --all --tool Read"),
    ),
    "deny": (
        Example("Deny one, and say why", "hldctl deny 3f2a --message 'Not on the main branch.'"),
        Example("Deny all that a session asks, and stop its turn", "hldctl deny --all --session last --interrupt"),
    ),
    "events": (
        Example("What happens from now on", "hldctl events -f"),
        Example("Who has ended, for a script", "hldctl events -f --type session_status_changed --json"),
        Example("Go on behind the last event that was seen", "hldctl events --after 1024"),
    ),
    "export": (
        Example("As Markdown", "hldctl export last > run.md"),
        Example("One page that any browser shows", "hldctl export last --format html -o run.html"),
    ),
    "stats": (
        Example("What each day of the last week has cost", "hldctl stats --since 7d"),
        Example("The dearest projects, for a spreadsheet", "hldctl stats --by directory --csv > projects.csv"),
    ),
    "rm": (
        Example("Delete a session that has ended", "hldctl rm 3f0c2b6e"),
        Example("Interrupt the newest first", "hldctl rm --force last"),
    ),
    "prune": (
        Example("What would go", "hldctl prune --older-than 30d --dry-run"),
        Example("Keep the newest hundred", "hldctl prune --keep 100"),
    ),
    "config": (
        Example("A default for new sessions", "hldctl config set timeout 2h"),
        Example("Two sessions of a group at once", "hldctl config set groups.review 2"),
    ),
    "doctor": (
        Example("What is wrong here", "hldctl doctor"),
        Example("Mend it where that is safe", "hldctl doctor --fix"),
    ),
}


EXIT_CODES = {
    ExitCode.DONE: "Done; for a session that was waited for: completed.",
    ExitCode.FAILED: "The session that was waited for failed.",
    ExitCode.USAGE: "Wrong usage.",
    ExitCode.NO_SUCH_SESSION: "No such session, or an ambiguous prefix.",
    ExitCode.WRONG_STATE: "The session's state does not allow it.",
    ExitCode.ENVIRONMENT: "The environment does not allow it: no Claude Code, or a state directory or database that "
    "cannot be used.",
    ExitCode.UNWRITABLE: "The session was started, or has completed, but standard output cannot be written.",
    ExitCode.TIMED_OUT: "A timeout ended it.",
    ExitCode.INTERRUPTED: "It was interrupted.",
}
