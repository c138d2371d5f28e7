"""hldctl-config(5): the configuration file, key by key."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any

from hldctl import __version__
from hldctl.config.schema import _EXPECTED, Configuration
from scripts import roff

KEYS = {
    "model": "The model of new sessions, as with --model.",
    "permission_mode": "Claude Code's permission mode, as with --permission-mode.",
    "allowed_tools": "Tools that need no permission, as with --allowed-tools, which replaces them; an empty one does "
    "without.",
    "max_budget_usd": "Sessions end when so much is spent, as with --max-budget-usd.",
    "timeout": "Sessions are stopped that have not ended by then, as with --timeout.",
    "idle_timeout": "Sessions are stopped in which nothing has happened for so long, as with --idle-timeout.",
    "retries": "How often a session goes on after an API error or a crash, as with --retries.",
    "wait_for_reset": "Whether sessions go on when a rate limit has been reset, as with --wait-for-reset.",
    "fail_on_denial": "Whether a session has failed if a tool call was denied, as with --fail-on-denial.",
    "approvals": "Whether sessions ask for each permission by `hldctl approvals`, as with --approvals. Without it, "
    "those do that are launched at a terminal.",
    "approval_timeout": "What becomes of a request that nobody answers, and after how long, as with "
    "--approval-timeout. Without it, a request waits for as long as its session lives.",
    "on_approval": "A command that is run for each request, which it gets as JSON on standard input, as with "
    "--on-approval.",
    "from_session": "Whether sessions may answer permission requests and widen permissions themselves, as with "
    "--from-session.",
    "on_end": "A command that is run once a session has ended, which it gets as JSON on standard input, as with "
    "--on-end.",
    "max_running": "How many sessions may run at once; more are queued, first come, first served. Without it, there is "
    "no limit.",
    "groups": "For each group that --group may name, how many of its sessions may run at once.",
    "prune": "What is deleted once a day, when a session is launched, as `hldctl prune` would: `older_than` is its "
    "--older-than, `keep` its --keep. Without it, nothing is.",
}

EXAMPLE = """\
model = "opus"
permission_mode = "acceptEdits"
allowed_tools = ["Read", "Bash(git log:*)"]
max_budget_usd = 2.50
timeout = "2h"
idle_timeout = "10m"
retries = 3
wait_for_reset = true
fail_on_denial = true
approvals = true
approval_timeout = "30m=deny"
on_approval = "notify-send 'Permission wanted'"
from_session = false
on_end = "jq -r .status >> ~/sessions.log"
max_running = 4

[groups]
nightly = 1
reviews = 2

[prune]
older_than = "30d"
keep = 100
"""


def text(date: str) -> str:
    sections = {
        "NAME": roff.name("hldctl-config", "defaults for hldctl, and its limits"),
        "SYNOPSIS": f"{roff.italic('$XDG_CONFIG_HOME/hldctl/config.toml')}\n.br\n"
        f"{roff.italic('~/.config/hldctl/config.toml')}",
        "DESCRIPTION": roff.prose(
            "A file in TOML, which need not exist: what it does not say is as described below. The second place is "
            "looked at where `XDG_CONFIG_HOME` is not set. What a command's options say goes before what is said here. "
            "A key that is not known, or a value that is none, is an error: commands that need the file end with exit "
            "code 2, and say what is wrong."
        ),
        "KEYS": roff.entries(_entry(field) for field in fields(Configuration)),
        "EXAMPLES": roff.listing(EXAMPLE),
        "SEE ALSO": ",\n".join(map(roff.reference, ("hldctl", "hldctl-launch", "hldctl-prune"))),
    }
    return roff.page("hldctl-config", 5, date, __version__, sections)


def _entry(field: Field[Any]) -> tuple[str, str]:
    _, form = _EXPECTED[field.name]
    default = "absent" if field.default in (None, MISSING) else str(field.default)
    return roff.bold(field.name), roff.prose(f"{KEYS[field.name]} Form: {form}. Default: {default}.")
