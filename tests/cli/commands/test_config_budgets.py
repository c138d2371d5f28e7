"""Budgets and groups in the configuration file, and `hldctl config` for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hldctl.config import schema
from hldctl.errors import BadUsage
from hldctl.store.budgets.limits import DEFAULT_RESERVE_USD, Limit
from hldctl.system.periods import Period
from tests.helpers.sandbox import Sandbox

FILE = Path("/home/ada/config.toml")
GROUPS = """\
[groups]
review = 2  # of them

# Each day.
[prune]
keep = 100
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[budgets]\ndaily_usd = 0", "budgets.daily_usd is 0, so that nothing could ever start; write an amount of"),
        ("[budgets]\nweekly_usd = 0.0", "budgets.weekly_usd is 0, so that"),
        ("[budgets]\ndaily_usd = -5", "budgets.daily_usd must be an amount of dollars above 0, such as 10 or 2.50"),
        ("[budgets]\nmonthly_usd = 'ten'", "budgets.monthly_usd must be an amount of dollars above 0, such as 10 or"),
        ("[budgets]\ndaily_usd = true", "budgets.daily_usd must be an amount"),
        ("[budgets]\ndaily_usd = inf", "budgets.daily_usd must be an amount"),
        ("[budgets]\ndaily_usd = nan", "budgets.daily_usd must be an amount"),
        ("[budgets]\nreserve_usd = -1", "budgets.reserve_usd must be an amount of dollars, such as 2 or 0.50, not -1"),
        ("[budgets]\non_budget = 1", "budgets.on_budget must be a command, as a text, not 1"),
        ("[budgets]\ndayly_usd = 1", "budgets.dayly_usd is unknown; the keys are daily_usd, weekly_usd, monthly_usd"),
        ("budgets = 5", "budgets must be a table with daily_usd"),
        ("[groups.nightly]\ndaily_usd = 0", "groups.nightly.daily_usd is 0, so that"),
        ("[groups.nightly]\nmax_running = 0", "groups.nightly.max_running must be a whole number, 1 or more, not 0"),
        ("[groups.nightly]\nreserve_usd = 1", "groups.nightly.reserve_usd is unknown; the keys are max_running"),
        ("[groups]\nnightly = 0", "groups.nightly must be a whole number, 1 or more, or a table, not 0"),
        ("groups = 1", "groups must be a table with an entry for each group"),
    ],
)
def test_invalid_budget_is_named(text: str, message: str) -> None:
    with pytest.raises(BadUsage) as refusal:
        schema.parse_config(FILE, text)
    assert str(refusal.value).startswith(f"{FILE}: {message}")
    assert "\n" not in str(refusal.value)


def test_groups_are_numbers_of_slots_or_tables() -> None:
    configuration = schema.parse_config(
        FILE,
        "[budgets]\nweekly_usd = 50\nreserve_usd = 0.5\n[groups]\nreview = 2\n"
        "[groups.nightly]\nmax_running = 1\ndaily_usd = 10\n[groups.cheap]\nmonthly_usd = 5",
    )
    assert configuration.group_slots == {"review": 2, "nightly": 1}
    assert sorted(configuration.groups) == ["cheap", "nightly", "review"]
    assert configuration.budgets.reserve_usd == 0.5
    assert configuration.budgets.limits == (
        Limit(None, Period.WEEKLY, 50.0),
        Limit("nightly", Period.DAILY, 10.0),
        Limit("cheap", Period.MONTHLY, 5.0),
    )
    assert schema.parse_config(FILE, "").budgets == ((), DEFAULT_RESERVE_USD)
    assert schema.parse_config(FILE, "[budgets]\non_budget = ' '").on_budget is None


def test_settings_of_a_group_are_set_and_removed_one_by_one(sandbox: Sandbox) -> None:
    sandbox.configure(GROUPS)
    file = sandbox.home / ".config" / "hldctl" / "config.toml"

    def text_after(*arguments: str) -> str:
        sandbox.ok("config", *arguments)
        return file.read_text()

    inline = "review = {max_running = 2, daily_usd = 10}"
    assert text_after("set", "groups.review.daily_usd", "10") == GROUPS.replace("review = 2", inline)
    assert text_after("set", "groups.review", "3") == GROUPS.replace("review = 2", inline.replace("2,", "3,"))
    assert sandbox.ok("config", "get", "groups.review") == "max_running = 3\ndaily_usd = 10\n"
    assert sandbox.ok("config", "get", "groups.review.daily_usd") == "10\n"
    assert sandbox.ok("config", "get", "groups.review.weekly_usd") == ""
    assert "daily_usd" not in text_after("unset", "groups.review.daily_usd")
    assert "review" not in text_after("unset", "groups.review.max_running")
    refused = sandbox.run("config", "set", "budgets.daily_usd", "0")
    assert (refused.returncode, "budgets.daily_usd is 0" in refused.stderr) == (2, True)
    assert "daily_usd" not in file.read_text()
