"""Settings of unattended runs: timeouts, retries, slots, and the command to run at the end."""

from __future__ import annotations

from dataclasses import dataclass

from hldctl.settings.option import (
    ANY_VALUE,
    COMMAND,
    FLAG,
    HIDDEN,
    LIMIT,
    NO_HIGHER,
    TEXT,
    Option,
    Section,
    number,
    setting,
)

MAX_RETRIES = 1000
MAX_CHECK_TRIES = 1000


# Nothing compares or prints it, and every command would pay for the creation of these methods.
@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RunPolicy:
    """Timeouts, retries and slots of a session, and the command at its end."""

    timeout_ms: int | None = setting(
        None,
        Option(
            "timeout",
            LIMIT,
            "Stop the session if it is still running after this long, such as 30m.",
            config="Stop sessions that are still running after this long, as with --timeout.",
            example='"2h"',
            section=Section.LIMITS,
            project=NO_HIGHER,
        ),
        exposure=HIDDEN,
    )
    """Counted from the first start of Claude Code, retries included."""
    idle_timeout_ms: int | None = setting(
        None,
        Option(
            "idle_timeout",
            LIMIT,
            "Stop the session after this long without output while no tool runs.",
            config="Stop sessions after this long without output while no tool runs, as with --idle-timeout.",
            example='"10m"',
            section=Section.LIMITS,
            project=NO_HIGHER,
        ),
        exposure=HIDDEN,
    )
    stall_ms: int | None = setting(
        None,
        Option(
            "stall",
            LIMIT,
            "End Claude Code, and retry with --retries, after this long without output while the model is expected to "
            "answer.",
            config="End Claude Code after this long without output while the model is expected to answer, as with "
            "--stall.",
            example='"5m"',
            section=Section.LIMITS,
            project=NO_HIGHER,
        ),
        exposure=HIDDEN,
    )
    profile: str | None = setting(
        None,
        Option(
            "profile",
            TEXT,
            "Use the options of this profile of the configuration, except those given here.",
            metavar="NAME",
        ),
    )
    """The profile whose options the session has; None without one. A continuation inherits the options themselves."""
    group_name: str | None = setting(
        None,
        Option(
            "group",
            TEXT,
            "Take one of the slots that the configuration gives this group.",
            metavar="NAME",
            config="The group of new sessions, as with --group; it has to be one of [groups].",
            example='"review"',
            section=Section.UNATTENDED,
        ),
    )
    """The group whose slots and budgets it takes part in; None without one."""
    retries: int = setting(
        0,
        Option(
            "retries",
            number(0, MAX_RETRIES),
            "Retry up to N times after an API error or a crash; at most 1000.",
            config="How often a session is retried after an API error or a crash, as with --retries.",
            example="3",
            section=Section.UNATTENDED,
            project=ANY_VALUE,
        ),
    )
    """How often it may be retried after an API error or a crash."""
    wait_for_reset: bool = setting(
        False,
        Option(
            "wait_for_reset",
            FLAG,
            "Continue when a rate limit has been reset.",
            config="Whether sessions continue when a rate limit has been reset, as with --wait-for-reset.",
            example="true",
            section=Section.UNATTENDED,
            project=ANY_VALUE,
        ),
    )
    """True if it continues when a rate limit has been reset."""
    fail_on_denial: bool = setting(
        False,
        Option(
            "fail_on_denial",
            FLAG,
            "Count the session as failed if any tool call was denied.",
            config="Whether a session counts as failed if any tool call was denied, as with --fail-on-denial.",
            example="true",
            section=Section.UNATTENDED,
            project=ANY_VALUE,
        ),
    )
    """True if it counts as failed when a tool call was denied."""
    check_command: str | None = setting(
        None,
        Option(
            "check",
            COMMAND,
            "Command that has to succeed before the session is completed; if it fails, the model gets its output and "
            "continues.",
            config="A command that has to succeed before a session is completed, as with --check.",
            example='"make test"',
            section=Section.UNATTENDED,
        ),
        exposure=HIDDEN,
        trusted=True,
    )
    """A command for /bin/sh."""
    check_tries: int = setting(
        3,
        Option(
            "check_tries",
            number(1, MAX_CHECK_TRIES),
            "After how many failed checks the session has failed. Default: 3.",
            config="After how many failed checks a session has failed, as with --check-tries.",
            example="5",
            section=Section.UNATTENDED,
            project=NO_HIGHER,
        ),
        exposure=HIDDEN,
    )
    keep_open: bool = setting(
        False,
        Option(
            "keep_open",
            FLAG,
            "After its turn, wait for messages (`hldctl send`) until it is closed (`hldctl close`).",
            is_inherited=False,
        ),
    )
    """True if it waits for messages after its turn until it is closed."""
    private: bool = setting(
        False,
        Option(
            "private",
            FLAG,
            "Keep the session out of the record of the fleet: nothing of it leaves this machine.",
        ),
        trusted=True,
    )
    """True if nothing of it leaves this machine: it is not in the record of the fleet."""
    on_end: str | None = setting(
        None,
        Option(
            "on_end",
            COMMAND,
            "Command to run when the session ends, with the session as JSON on standard input; or `desktop`, "
            "`mail [ADDRESS]` or `webhook URL`.",
            config="A command to run when a session ends, with the session as JSON on standard input, or a preset: "
            "desktop, mail [ADDRESS] or webhook URL; as with --on-end.",
            example='"jq -r .status >> ~/sessions.log"',
            section=Section.UNATTENDED,
        ),
        trusted=True,
    )
    """The command for /bin/sh, or the preset, that runs when it ends; None without one."""
