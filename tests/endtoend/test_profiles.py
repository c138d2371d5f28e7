"""Sessions with a profile, and in a project with settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.helpers.projects import write_project
from tests.helpers.sandbox import Sandbox
from tests.helpers.seed_database import seed_sessions

OWN = """
model = "sonnet"
retries = 1
[profiles.review]
model = "opus"
permission_mode = "plan"
timeout = "2h"
[profiles.strict]
approvals = true
retries = 0
"""

CLAUDE = """
print(json.dumps({"type": "system", "subtype": "init", "session_id": "c0ffee00"}), flush=True)
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}))
"""


def finished(sandbox: Sandbox, *arguments: str | Path) -> dict[str, Any]:
    sandbox.ok(*arguments, "--wait")
    return sandbox.show("last")


def test_session_has_the_options_of_its_profile(sandbox: Sandbox) -> None:
    sandbox.fake_claude(CLAUDE)
    sandbox.configure(OWN)
    session = finished(sandbox, "launch", "Go", "--profile", "review")
    assert (session["profile"], session["model"], session["permission_mode"]) == ("review", "opus", "plan")
    assert sandbox.sql("SELECT timeout_ms, retries FROM sessions") == [(7_200_000, 1)]
    assert "profile                     review" in sandbox.ok("show", "last").splitlines()
    session = finished(
        sandbox, "launch", "Go", "--profile", "review", "--model", "haiku", "--permission-mode", "default"
    )
    assert (session["profile"], session["model"], session["permission_mode"]) == ("review", "haiku", "default")
    assert finished(sandbox, "launch", "Go")["profile"] is None


def test_continuation_inherits_the_options_and_a_profile_overrides_them(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.\nsay Done.\nsay Done.")
    sandbox.configure(OWN)
    sandbox.ok("launch", "Go", "--profile", "review", "--wait")
    sandbox.configure("[profiles.strict]\napprovals = true\nretries = 0\nmodel = 'haiku'")
    session = finished(sandbox, "continue", "last", "On")
    assert (session["profile"], session["permission_mode"]) == ("review", "plan")
    assert session["retries"] == 1
    session = finished(sandbox, "continue", "last", "On", "--profile", "strict", "--retries", "2")
    assert (session["profile"], session["permission_mode"], session["retries"]) == ("strict", "plan", 2)
    assert sandbox.sql("SELECT approvals, requested_model FROM sessions ORDER BY rowid") == [
        (0, "opus"),
        (0, "opus"),
        (1, "haiku"),
    ]


def test_profile_can_have_prompt_tools_turns_and_group(sandbox: Sandbox) -> None:
    sandbox.fake_claude(CLAUDE)
    text = "append_system_prompt = 'Only read.'\ndisallowed_tools = ['Edit,Write']\nmax_turns = 9\ngroup = 'slow'\n"
    sandbox.configure(f"[groups]\nslow = 1\n[profiles.review]\n{text}")
    session = finished(sandbox, "launch", "Go", "--profile", "review")
    assert (session["append_system_prompt"], session["disallowed_tools"]) == ("Only read.", ["Edit", "Write"])
    assert (session["max_turns"], session["group_name"]) == (9, "slow")
    sandbox.configure(f"[profiles.review]\n{text}")
    done = sandbox.run("launch", "Go", "--profile", "review")
    assert (done.returncode, "Unknown group 'slow'" in done.stderr) == (2, True)


def test_unknown_profile_starts_nothing(sandbox: Sandbox) -> None:
    sandbox.fake_claude(CLAUDE)
    sandbox.configure(OWN)
    done = sandbox.run("launch", "Go", "--profile", "revue")
    assert (done.returncode, done.stderr) == (2, "hldctl: Unknown profile 'revue'; the profiles are review, strict.\n")
    assert sandbox.ok("ls", "-q") == ""


def test_untrusted_project_runs_no_command_and_does_not_stop_a_launch(sandbox: Sandbox) -> None:
    sandbox.fake_claude(CLAUDE)
    text = "model = 'haiku'\non_end = 'touch ran'\nallowed_tools = ['Bash']\n[profiles.p]\non_end = 'touch ran'\n"
    file = write_project(sandbox.work, text)
    done = sandbox.run("launch", "Go", "--wait")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert (
        f"hldctl: {file} is not trusted, so these settings of it are ignored: on_end, allowed_tools; to use them, run: "
        f"hldctl config trust {file.parent}\n"
    ) in done.stderr
    session = sandbox.show("last")
    assert (session["model"], session["allowed_tools"]) == ("haiku", [])
    assert not (sandbox.work / "ran").exists()
    refused = sandbox.run("launch", "Go", "--profile", "p")
    assert (refused.returncode, "is not trusted" in refused.stderr, refused.stdout) == (2, True, "")
    assert "trusted" not in sandbox.run("launch", "Go", "-q", "--wait").stderr

    (sandbox.work / "below").mkdir()
    sandbox.ok("config", "trust")
    done = sandbox.run("launch", "Go", "--wait")
    assert "trust" not in done.stderr
    assert sandbox.show("last")["allowed_tools"] == ["Bash"]
    assert (sandbox.work / "ran").exists()


def test_project_is_that_of_the_working_directory(sandbox: Sandbox) -> None:
    sandbox.fake_claude(CLAUDE)
    repository = sandbox.root / "repository"
    write_project(repository, "retries = 3\n")
    (repository / ".git").mkdir()
    assert finished(sandbox, "launch", "Go", "-C", repository / "new", "--create-dir")["retries"] == 3
    assert finished(sandbox, "launch", "Go")["retries"] == 0
    shown = json.loads(sandbox.ok("config", "--json", "-C", str(repository)))
    assert {"key": "retries", "value": 3, "source": "project"}.items() <= {
        key: value for each in shown if each["key"] == "retries" for key, value in each.items()
    }.items()


def test_session_can_neither_trust_a_project_nor_choose_a_wide_profile(sandbox: Sandbox) -> None:
    sandbox.configure("[profiles.wide]\npermission_mode = 'acceptEdits'\n")
    write_project(sandbox.work, "on_end = 'true'\n")
    (session_id,) = seed_sessions(sandbox.state.root, 1, 1)
    within = {"HLDCTL_SESSION_ID": session_id}
    for command in (
        ("config", "trust"),
        ("config", "set", "profiles.wide.permission_mode", "plan"),
        ("launch", "Go", "--profile", "wide"),
    ):
        done = sandbox.run(*command, environment=within)
        assert (done.returncode, "not allowed from within session" in done.stderr) == (4, True), command
    assert not sandbox.state.trusted_projects.exists()
