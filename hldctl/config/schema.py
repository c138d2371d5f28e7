"""The keys of the configuration file, `$XDG_CONFIG_HOME/hldctl/config.toml`, and its parser."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hldctl import durations
from hldctl.config import budgets, fleet
from hldctl.config.budgets import Fault
from hldctl.config.fleet import FleetSettings
from hldctl.errors import BadUsage
from hldctl.settings.claude import ClaudeOptions
from hldctl.settings.option import options
from hldctl.settings.permissions import Permissions
from hldctl.settings.run_policy import RunPolicy
from hldctl.store.admission.rules import DEFAULT_LAUNCH_DEPTH, DEFAULT_LAUNCHED
from hldctl.store.budgets.limits import DEFAULT_RESERVE_USD, Budgets


@dataclass(frozen=True)
class Key:
    """A key of the configuration file."""

    help: str
    expected: str
    """Completes "must be …"."""
    is_valid: Callable[[Any], bool]
    example: str
    """An example in TOML; for a table, without its heading."""
    find_fault: Callable[[Any], Fault | None] | None = None
    """Returns the invalid value within a table, for a more precise message."""


def _is_worktree_table(value: Any) -> bool:
    if type(value) is not dict or not value or value.keys() - {"directory", "copy", "setup"}:
        return False
    files = value.get("copy", [])
    texts = (value.get("directory", ""), value.get("setup", ""), *(files if type(files) is list else [None]))
    return all(type(text) is str and "\0" not in text for text in texts)


def _is_prune_table(value: Any) -> bool:
    if type(value) is not dict or not value or value.keys() - {"older_than", "keep"}:
        return False
    keep = value.get("keep", 0)
    return type(value.get("older_than", "")) is str and type(keep) is int and keep >= 0


def _are_texts(value: Any) -> bool:
    return type(value) is list and all(type(text) is str for text in value)


def _is_limits_table(value: Any) -> bool:
    return type(value) is dict and value.keys() == {"spread"} and type(value["spread"]) is str


OPTIONS = {
    option.name: (part, option)
    for part in (ClaudeOptions, Permissions, RunPolicy)
    for _, option in options(part)
    if option.config is not None
}
"""Options of `launch` that the file can set, each with the settings class that it belongs to."""

KEYS = {
    **{
        name: Key(option.config or "", option.expected, option.kind.is_valid, option.example)
        for name, (_, option) in OPTIONS.items()
    },
    "max_running": Key(
        "How many sessions may run at once; others are queued, first in, first out. Without it, any number may.",
        "a whole number, 1 or more",
        budgets.is_count,
        "4",
    ),
    "max_launch_depth": Key(
        "How many levels of sessions may be below one that you launched: those that it launches are the first level, "
        f"those that they launch the second. Default: {DEFAULT_LAUNCH_DEPTH}; with 0, sessions launch none.",
        "a whole number, 0 or more",
        lambda value: type(value) is int and value >= 0,
        "1",
    ),
    "max_launched": Key(
        "How many sessions that were launched within one of yours, at all levels, may be alive at once, waiting ones "
        f"included; more are refused. Default: {DEFAULT_LAUNCHED}.",
        "a whole number, 1 or more",
        budgets.is_count,
        "5",
    ),
    "budgets": Key(
        "What all sessions may spend in a day, a week and a month: `daily_usd`, `weekly_usd`, `monthly_usd`. A launch "
        "waits, or is refused with `--if-over-budget fail`, if what was spent, what running sessions may still spend "
        "and what it may spend exceed one of them. Without `--max-budget-usd`, a session may spend `reserve_usd`, "
        f"by default {DEFAULT_RESERVE_USD:.0f}. `on_budget` is a command or preset that runs once when 80 % are spent, "
        "and once at 100 %, with the budget as JSON on standard input. Periods are in local time; weeks begin on "
        "Monday.",
        f"a table with {', '.join(budgets.BUDGET_KEYS)}; each may be left out",
        lambda value: budgets.find_budget_fault(value) is None,
        'daily_usd = 20\nmonthly_usd = 300\nreserve_usd = 2.50\non_budget = "mail"',
        budgets.find_budget_fault,
    ),
    "fleet": Key(
        "The record that this machine shares with others, see `hldctl fleet`: `url` is the PostgreSQL database, in a "
        "form that libpq understands, without a password. The server's certificate is verified unless `sslmode` says "
        "otherwise. `share` is what the record gets: `all`, `outline`, without texts, or `status`, without events. "
        "`team` is a PostgreSQL role whose members see the sessions of this machine, too. `accept` lists what the "
        "roles in `accept_from`, and their members, may ask of this machine: `interrupt`, `answer`, `send`, `set`, "
        "`continue`, by default `interrupt`, `answer` and `set`; `accept_from` is empty by default, and its owner may "
        "ask for all. With `signers`, an allowed signers file of ssh-keygen, only signed requests are accepted; "
        "`signing_key` is the ssh key that signs those made here. With `listing = true`, `ls`, `top` and `approvals` "
        "show the whole fleet, unless `--no-fleet` is given.",
        "a table with url, a text, and others, which may be left out",
        fleet.is_part,
        'url = "host=db.example.org dbname=hldctl"\nshare = "all"\nteam = "web"\naccept = ["interrupt", "answer"]\n'
        'accept_from = ["web"]\nsigners = "~/.ssh/allowed_signers"\nsigning_key = "~/.ssh/id_ed25519"\nlisting = true',
        fleet.find_fault,
    ),
    "groups": Key(
        "For each group that `--group` may name, how many of its sessions may run at once; or a table with that, as "
        "`max_running`, and what they may spend: `daily_usd`, `weekly_usd`, `monthly_usd`.",
        "a table with, for each group, a whole number, 1 or more, or a table",
        lambda value: budgets.find_group_fault(value) is None,
        "reviews = 2\nnightly = { max_running = 1, daily_usd = 10 }",
        budgets.find_group_fault,
    ),
    "limits": Key(
        "What happens after a usage limit: the sessions that have waited for its reset start one by one, and `spread` "
        "is the time between two of them, 30s without this key.",
        'a table with spread, a text such as "30s"',
        _is_limits_table,
        'spread = "1m"',
    ),
    "profiles": Key(
        "Options for `launch --profile NAME`: for each profile a table with keys of this file that are options of a "
        "session. A project has its own in .hldctl.toml.",
        "a table with a table for each profile",
        lambda value: type(value) is dict and all(type(each) is dict for each in value.values()),
        'review = { model = "opus", permission_mode = "plan" }',
    ),
    "prune": Key(
        "What is deleted once a day, when a session is launched, as `hldctl prune` would: `older_than` is its "
        "--older-than, with a unit, and `keep` its --keep. Without it, nothing is deleted.",
        'a table with older_than, a text such as "30d", or keep, a whole number, or both',
        _is_prune_table,
        'older_than = "30d"\nkeep = 100',
    ),
    "slurm": Key(
        "`launch --on slurm`: `options` are options of sbatch for all sessions, such as a partition and a time limit. "
        "Those of --engine-option take precedence.",
        "a table with options, a list of texts",
        lambda value: type(value) is dict and value.keys() == {"options"} and _are_texts(value["options"]),
        'options = ["--partition=agents", "--time=8:00:00"]',
    ),
    "worktree": Key(
        "What `launch --worktree` does: `directory` is where worktrees are made, instead of the state directory; "
        "`copy` lists files that git ignores and a session needs, as paths or patterns; `setup` is a command for "
        "/bin/sh that runs in the new worktree, and ends the launch if it fails.",
        "a table with directory, a text, copy, a list of texts, and setup, a text, or some of them",
        _is_worktree_table,
        'copy = [".env", "**/local.toml"]\nsetup = "npm ci"',
    ),
}
TABLES = ("budgets", "fleet", "groups", "limits", "profiles", "prune", "slurm", "worktree")

_DEFAULT_SPREAD_MS = 30_000
# Of keys that are not options.
_DEFAULTS = {"max_launch_depth": DEFAULT_LAUNCH_DEPTH, "max_launched": DEFAULT_LAUNCHED}


@dataclass(frozen=True)
class Configuration:
    """The contents of the configuration file."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """Values by key, as parsed from TOML."""

    @property
    def max_running(self) -> int | None:
        """The number of sessions that may run at once; None for no limit."""
        return self.values.get("max_running")

    @property
    def max_launch_depth(self) -> int:
        """How many levels of sessions may be below one that a person launched."""
        return int(self.values.get("max_launch_depth", DEFAULT_LAUNCH_DEPTH))

    @property
    def max_launched(self) -> int:
        """How many sessions launched within that one, at all levels, may not have ended."""
        return int(self.values.get("max_launched", DEFAULT_LAUNCHED))

    @property
    def groups(self) -> dict[str, Any]:
        """The groups that a session may be in: the number of sessions that may run at once, or a table of limits."""
        return dict(self.values.get("groups", {}))

    @property
    def profiles(self) -> dict[str, dict[str, Any]]:
        """The options of each profile, as parsed from TOML."""
        return dict(self.values.get("profiles", {}))

    @property
    def spread_ms(self) -> int:
        """The time between two starts after a usage limit; raise BadUsage if it cannot be parsed."""
        spread = self.values.get("limits", {}).get("spread")
        return _DEFAULT_SPREAD_MS if spread is None else int(durations.parse_seconds(spread) * 1000)

    @property
    def group_slots(self) -> dict[str, int]:
        """The number of sessions that may run at once, by group; without those that have no such limit."""
        return budgets.group_slots(self.groups)

    @property
    def budgets(self) -> Budgets:
        """The budgets of all sessions and of groups."""
        return budgets.configured_budgets(self.values.get("budgets", {}), self.groups)

    @property
    def on_budget(self) -> str | None:
        """The command that runs when a budget is nearly or completely spent; None without one."""
        command: str = self.values.get("budgets", {}).get(budgets.ON_BUDGET, "")
        return command if command.strip() else None

    @property
    def fleet(self) -> FleetSettings | None:
        """The fleet that this machine belongs to; None without one."""
        return fleet.fleet_settings(self.values.get("fleet"))

    def engine_options(self, engine: str) -> list[str]:
        """Return the options for all jobs of an engine."""
        return list(self.values.get(engine, {}).get("options", []))

    @property
    def prune(self) -> dict[str, Any] | None:
        """`older_than`, a duration, and `keep`, a number, or one of them; None if nothing is pruned."""
        return self.values.get("prune")

    @property
    def worktree(self) -> dict[str, Any]:
        """`directory`, `copy` and `setup` of worktrees, as far as they are set."""
        return dict(self.values.get("worktree", {}))


def default_value(key: str) -> Any:
    """Return the value of a session if nothing sets the key; None if there is none."""
    if key in _DEFAULTS:
        return _DEFAULTS[key]
    part, option = OPTIONS.get(key, (None, None))
    if part is not RunPolicy or option is None:
        return {} if key in ("groups", "budgets", "profiles") else None
    return next(getattr(RunPolicy(), entry.name) for entry, other in options(RunPolicy) if other is option)


def path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the configuration file."""
    config_home = Path(environment.get("XDG_CONFIG_HOME", ""))
    # The XDG specification says to ignore a relative path.
    directory = config_home if config_home.is_absolute() else Path(os.path.expanduser("~/.config"))
    return directory / "hldctl" / "config.toml"


def load(environment: Mapping[str, str] = os.environ) -> Configuration:
    """Return the configuration, empty without a file; raise BadUsage if it is not valid."""
    file = path(environment)
    text = read(file)
    return Configuration() if text is None else parse_config(file, text)


def read(file: Path) -> str | None:
    """Return the file's text unchanged, None without a file; raise BadUsage if it cannot be read."""
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadUsage(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def parse_config(file: Path, text: str) -> Configuration:
    """Parse and validate the text of a configuration file; raise BadUsage if it is not valid."""
    return Configuration(_validate(file, parse_toml(file, text)))


def parse_toml(file: Path, text: str) -> dict[str, Any]:
    """Parse TOML; raise BadUsage if it is not valid. The keys are not checked."""
    # Imported only here: most users have no such file.
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{file} is not valid TOML: {error}.") from None


def is_valid_value(key: str, value: Any) -> bool:
    """Return whether the value is valid for the key."""
    return KEYS[key].is_valid(value)


def _validate(file: Path, values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if name not in KEYS:
            raise BadUsage(f"{file}: unknown key {name!r}; the keys are {', '.join(KEYS)}.")
        find_fault = KEYS[name].find_fault
        if find_fault is not None and (fault := find_fault(value)) is not None:
            raise BadUsage(f"{file}: {'.'.join(filter(None, (name, fault.key)))} {fault.message}.")
        if not is_valid_value(name, value):
            raise BadUsage(f"{file}: {name} must be {KEYS[name].expected}, not {value!r}.")
    return values
