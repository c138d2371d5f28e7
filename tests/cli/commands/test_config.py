"""`hldctl config`, and defaults of options from the configuration file."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.projects import write_project
from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

COMMENTED = """\
# Mine.
retries = 1  # once is enough
max_running = 4

[groups]
review = 2  # of them

# Each day.
[prune]
keep = 100
"""

DEFAULTS = """
model = "haiku"
permission_mode = "plan"
allowed_tools = ["Read,Grep", "Bash(git log:*, x)"]
max_budget_usd = 2
timeout = "2h"
idle_timeout = "10m"
retries = 3
wait_for_reset = true
fail_on_denial = true
"""


def config_path(sandbox: Sandbox) -> Path:
    return sandbox.home / ".config" / "hldctl" / "config.toml"


def show_settings(sandbox: Sandbox, **environment: str) -> dict[str, dict[str, Any]]:
    return {setting["key"]: setting for setting in json.loads(sandbox.ok("config", "--json", environment=environment))}


def run_rejected(sandbox: Sandbox, *arguments: str) -> str:
    """Run a command that must fail with bad usage. Return its message."""
    done = sandbox.run("config", *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_config_shows_each_setting_and_its_source(sandbox: Sandbox) -> None:
    sandbox.configure(COMMENTED)
    settings = show_settings(sandbox)
    assert settings["retries"] == {
        "key": "retries",
        "value": 1,
        "source": "file",
        "location": str(config_path(sandbox)),
        "profile": None,
    }
    assert (settings["groups.review"]["value"], settings["prune.keep"]["source"]) == (2, "file")
    assert settings["model"] == {
        "key": "model",
        "value": None,
        "source": "default",
        "location": None,
        "profile": None,
    }
    assert (settings["fail_on_denial"]["value"], settings["fail_on_denial"]["source"]) == (False, "default")
    home, claude = settings["state_directory"], settings["claude"]
    assert (home["value"], home["source"], home["location"]) == (str(sandbox.state.root), "environment", "HLDCTL_HOME")
    assert (claude["source"], claude["location"]) == ("environment", "HLDCTL_CLAUDE")


def test_config_shows_defaults_without_variables(sandbox: Sandbox) -> None:
    settings = show_settings(sandbox, HLDCTL_HOME="", HLDCTL_CLAUDE="")
    assert settings["state_directory"]["value"] == str(sandbox.home / ".local" / "state" / "hldctl")
    assert settings["state_directory"]["source"] == "default"
    assert settings["claude"]["source"] in ("environment", "found")
    assert show_settings(sandbox, HLDCTL_CLAUDE="/nowhere")["claude"]["source"] == "missing"


def test_config_table_in_a_pipe_and_at_a_terminal(sandbox: Sandbox) -> None:
    sandbox.configure('on_end = "echo \\u001b[31m"\n' + COMMENTED)
    header, *rows = sandbox.ok("config").splitlines()
    assert header.split() == ["KEY", "VALUE", "FROM"]
    assert [row.split() for row in rows if row.startswith(("retries", "model"))] == [
        ["model", "Claude", "Code's", "own", "default"],
        ["retries", "1", str(config_path(sandbox))],
    ]
    with Terminal(sandbox, "config", columns=100, lines=30) as terminal:
        screen = terminal.wait_for_screen("prune.keep")
        terminal.wait_for_exit()
    values = {line.split()[0]: line.split()[1:] for line in screen if line}
    assert values["retries"] == ["1", "~/.config/hldctl/config.toml"]
    assert values["on_end"][:2] == ["echo", r"\x1b[31m"]


def test_set_changes_only_its_own_line(sandbox: Sandbox) -> None:
    sandbox.configure(COMMENTED)
    for key, value in {"retries": "2", "model": "opus", "groups.build": "3", "prune.older_than": "30d"}.items():
        sandbox.ok("config", "set", key, value)
    assert config_path(sandbox).read_text() == (
        COMMENTED.replace("retries = 1", "retries = 2")
        .replace("max_running = 4\n", 'max_running = 4\nmodel = "opus"\n')
        .replace("of them\n", "of them\nbuild = 3\n")
        .replace("keep = 100\n", 'keep = 100\nolder_than = "30d"\n')
    )
    for key in ("retries", "model", "groups.build", "prune.older_than"):
        sandbox.ok("config", "unset", key)
    assert config_path(sandbox).read_text() == COMMENTED.replace("retries = 1  # once is enough\n", "")
    assert "retries is not in" in sandbox.run("config", "unset", "retries").stderr


def test_unset_removes_an_empty_table(sandbox: Sandbox) -> None:
    sandbox.configure("[prune]\nkeep = 1\n")
    sandbox.ok("config", "unset", "prune.keep")
    assert config_path(sandbox).read_text() == ""


def test_get_returns_values_as_they_were_set(sandbox: Sandbox) -> None:
    settings = {
        "allowed_tools": ("Read, Bash(a, b)", ["Read", "Bash(a, b)"]),
        "max_budget_usd": ("2.50", 2.5),
        "wait_for_reset": ("true", True),
        "on_end": ('echo "$HLDCTL_NAME"', 'echo "$HLDCTL_NAME"'),
        "groups.a.b": ("3", 3),
        "groups": ("{ c = 4 }", {"c": 4}),
    }
    for key, (text, value) in settings.items():
        sandbox.ok("config", "set", key, text)
        assert json.loads(sandbox.ok("config", "get", key, "--json")) == value
    assert sandbox.ok("config", "get", "allowed_tools") == "Read\nBash(a, b)\n"
    assert sandbox.ok("config", "get", "wait_for_reset") == "true\n"
    assert sandbox.ok("config", "get", "timeout") == ""
    assert sandbox.ok("config", "get", "groups") == "c = 4\n"
    assert sandbox.ok("config", "get", "state_directory") == f"{sandbox.state.root}\n"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("retries", "many", "whole number"),
        ("timeout", "soon", "not a duration"),
        ("timeout", "0", "greater than zero"),
        ("approval_timeout", "30m", "30m=deny"),
        ("prune.older_than", "old", "not a duration"),
        ("groups.build", "0", "whole number"),
        ("max_budget_usd", "inf", "dollars"),
        ("colour", "red", "Unknown setting 'colour'"),
        ("claude", "/bin/claude", "HLDCTL_CLAUDE"),
    ],
)
def test_set_rejects_invalid_values(sandbox: Sandbox, key: str, value: str, message: str) -> None:
    assert message in run_rejected(sandbox, "set", key, value)
    assert not config_path(sandbox).exists()


def test_file_is_private_and_a_symbolic_link_is_kept(sandbox: Sandbox) -> None:
    sandbox.ok("config", "set", "model", "opus")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (config_path(sandbox).parent, config_path(sandbox))]
    assert modes == [0o700, 0o600]
    target = sandbox.home / "dotfiles" / "hldctl.toml"
    target.parent.mkdir()
    config_path(sandbox).rename(target)
    target.chmod(0o644)
    config_path(sandbox).symlink_to(target)
    sandbox.ok("config", "set", "model", "haiku")
    assert (config_path(sandbox).is_symlink(), target.read_text()) == (True, 'model = "haiku"\n')
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert [path.name for path in target.parent.iterdir()] == ["hldctl.toml"]


def test_concurrent_changes_are_all_kept(sandbox: Sandbox) -> None:
    processes = [sandbox.popen("config", "set", f"groups.g{number}", str(number)) for number in range(1, 7)]
    assert [process.communicate() and process.returncode for process in processes] == [0] * 6
    assert json.loads(sandbox.ok("config", "get", "groups", "--json")) == {f"g{n}": n for n in range(1, 7)}


PROFILES = """\
model = "sonnet"

# Reads only.
[profiles.review]
model = "opus"  # the best
"""


def test_profiles_are_set_one_key_at_a_time(sandbox: Sandbox) -> None:
    sandbox.configure(PROFILES)
    sandbox.ok("config", "set", "profiles.review.timeout", "2h")
    sandbox.ok("config", "set", "profiles.v1.2.retries", "3")
    assert config_path(sandbox).read_text() == PROFILES + 'timeout = "2h"\n\n[profiles."v1.2"]\nretries = 3\n'
    profiles = {"review": {"model": "opus", "timeout": "2h"}, "v1.2": {"retries": 3}}
    assert json.loads(sandbox.ok("config", "get", "profiles", "--json")) == profiles
    assert sandbox.ok("config", "get", "profiles") == "review.model = opus\nreview.timeout = 2h\nv1.2.retries = 3\n"
    assert sandbox.ok("config", "get", "profiles.review") == "model = opus\ntimeout = 2h\n"
    assert sandbox.ok("config", "get", "profiles.v1.2.retries") == "3\n"
    assert sandbox.ok("config", "get", "profiles.none.retries") == sandbox.ok("config", "get", "profiles.none") == ""
    sandbox.ok("config", "unset", "profiles.review.timeout")
    sandbox.ok("config", "unset", "profiles.v1.2")
    assert config_path(sandbox).read_text().rstrip("\n") == PROFILES.rstrip("\n")
    assert "is not in" in sandbox.run("config", "unset", "profiles.v1.2").stderr


def test_mistakes_in_profiles_are_named(sandbox: Sandbox) -> None:
    sandbox.configure("[profiles.review]\nmodle = 'opus'\n")
    expected = f"hldctl: {config_path(sandbox)}: the profile 'review': unknown key 'modle'; did you mean model?\n"
    assert run_rejected(sandbox) == expected
    (doctor,) = (line for line in sandbox.run("doctor").stdout.splitlines() if " configuration: " in line)
    assert "unknown key 'modle'" in doctor
    sandbox.configure("")
    assert "did you mean timeout?" in run_rejected(sandbox, "set", "profiles.review.timeuot", "2h")
    assert "is not a duration" in run_rejected(sandbox, "set", "profiles.review.timeout", "soon")
    assert "cannot name a profile" in run_rejected(sandbox, "set", "profiles.a b.timeout", "2h")
    assert "the profiles are" not in run_rejected(sandbox, "--profile", "review")


def test_config_shows_which_file_or_profile_decides(sandbox: Sandbox) -> None:
    sandbox.configure(PROFILES + 'timeout = "2h"\n')
    project = write_project(sandbox.work, "timeout = '1h'\nretries = 2\n[profiles.fast]\nmodel = 'haiku'\n")
    shown = {each["key"]: each for each in json.loads(sandbox.ok("config", "--json", "--profile", "review"))}
    own = str(config_path(sandbox))
    assert [tuple(shown[key].values())[1:] for key in ("model", "timeout", "retries", "on_end")] == [
        ("opus", "profile", own, "review"),
        ("2h", "profile", own, "review"),
        (2, "project", str(project), None),
        (None, "default", None, None),
    ]
    assert (shown["profiles.fast.model"]["source"], shown["profiles.review.model"]["source"]) == ("project", "file")
    rows = {row.split()[0]: row for row in sandbox.ok("config", "--profile", "review").splitlines()}
    assert rows["model"].endswith(f"{own} (profile review)")
    assert rows["retries"].endswith(str(project))


def test_broken_file_is_reported_and_can_be_edited(sandbox: Sandbox) -> None:
    sandbox.configure("retries = [")
    for arguments in ([], ["--json"], ["get", "model"], ["set", "model", "opus"], ["unset", "model"]):
        assert str(config_path(sandbox)) in run_rejected(sandbox, *arguments)
    assert config_path(sandbox).read_text() == "retries = ["
    (doctor,) = (line for line in sandbox.run("doctor").stdout.splitlines() if " configuration: " in line)
    assert doctor.startswith("error")
    assert str(config_path(sandbox)) in doctor
    assert sandbox.ok("config", "path") == f"{config_path(sandbox)}\n"
    sandbox.environment["EDITOR"] = 'sed -i "s/.$/1/"'
    sandbox.ok("config", "edit")
    assert show_settings(sandbox)["retries"]["value"] == 1


def test_set_replaces_an_invalid_value(sandbox: Sandbox) -> None:
    sandbox.configure("retries = 'many'  # mine\n")
    sandbox.ok("config", "set", "retries", "3")
    assert config_path(sandbox).read_text() == "retries = 3  # mine\n"


def test_edit_keeps_an_invalid_file(sandbox: Sandbox) -> None:
    sandbox.environment |= {"EDITOR": "false", "VISUAL": 'sh -c \'echo "timeout = 5" > "$0"\''}
    assert "timeout must be a text" in run_rejected(sandbox, "edit")
    assert config_path(sandbox).read_text() == "timeout = 5\n"
    sandbox.environment["VISUAL"] = ""
    failed = sandbox.run("config", "edit")
    assert (failed.returncode, "`false` failed with exit code 1" in failed.stderr) == (5, True)


def test_each_subcommand_has_help(sandbox: Sandbox) -> None:
    for name in ("get", "set", "unset", "edit", "path", "trust", "untrust"):
        assert f"Usage: hldctl config {name}" in sandbox.ok("config", name, "--help")
    assert "there is no command 'config sett'. Did you mean 'set'?" in run_rejected(sandbox, "sett")


def test_reading_configuration_does_not_import_tomlkit(sandbox: Sandbox) -> None:
    sandbox.configure(COMMENTED)
    code = "import sys; from hldctl.config import load; load.load(); print('tomlkit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=sandbox.environment, capture_output=True, check=True)
    assert done.stdout == b"False\n"


ARGUMENTS = """
with open("arguments", "w") as file:
    json.dump(sys.argv, file)
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}))
"""


def run_session(sandbox: Sandbox, *arguments: str) -> tuple[dict[str, Any], list[str]]:
    """Run a session. Return it, and the command line of Claude Code."""
    sandbox.ok(*arguments, "--wait")
    argv: list[str] = json.loads((sandbox.work / "arguments").read_text())
    return sandbox.show("last"), argv


def stored_limits(sandbox: Sandbox) -> tuple[Any, ...]:
    columns = "timeout_ms, idle_timeout_ms, retries, wait_for_reset, fail_on_denial"
    return sandbox.sql(f"SELECT {columns} FROM sessions ORDER BY rowid DESC LIMIT 1")[0]


def test_configured_defaults_apply_to_missing_options(sandbox: Sandbox) -> None:
    sandbox.fake_claude(ARGUMENTS)
    sandbox.configure(DEFAULTS)
    session, argv = run_session(sandbox, "launch", "Go")
    assert argv[argv.index("--model") + 1] == "haiku"
    assert argv[argv.index("--permission-mode") + 1] == "plan"
    assert (session["model"], session["permission_mode"], session["max_budget_usd"]) == ("haiku", "plan", 2.0)
    assert session["allowed_tools"] == ["Read", "Grep", "Bash(git log:*, x)"]
    assert stored_limits(sandbox) == (7_200_000, 600_000, 3, 1, 1)

    limits = ["--timeout", "1h", "--idle-timeout", "1m", "--retries", "0", "--max-budget-usd", "0.5"]
    switches = ["--no-wait-for-reset", "--no-fail-on-denial", "--permission-mode", "default", "--model", "opus"]
    session, _ = run_session(sandbox, "launch", "Go", *limits, *switches, "--allowed-tools", "Edit")
    assert (session["model"], session["permission_mode"], session["max_budget_usd"]) == ("opus", "default", 0.5)
    assert session["allowed_tools"] == ["Edit"]
    assert stored_limits(sandbox) == (3_600_000, 60_000, 0, 0, 0)

    session, argv = run_session(sandbox, "launch", "Go", "--allowed-tools", "")
    assert (session["allowed_tools"], "--allowed-tools" in argv) == ([], False)


def test_continuation_inherits_from_its_parent_only(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait", "--retries", "1")
    sandbox.configure(DEFAULTS)
    sandbox.ok("continue", "last", "On", "--wait")
    session = sandbox.show("last")
    assert (session["permission_mode"], session["max_budget_usd"], session["allowed_tools"]) == (None, None, [])
    assert stored_limits(sandbox) == (None, None, 1, 0, 0)


def test_invalid_default_starts_no_session(sandbox: Sandbox) -> None:
    sandbox.fake_claude(ARGUMENTS)
    sandbox.configure('idle_timeout = "soon"\n')
    done = sandbox.run("launch", "Go")
    assert (done.returncode, "idle_timeout: 'soon' is not a duration" in done.stderr) == (2, True)
    assert sandbox.ok("ls", "-q") == ""
