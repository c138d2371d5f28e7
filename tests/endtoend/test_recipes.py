"""The recipes of docs/how-to/, run unchanged except for paths."""

from __future__ import annotations

import configparser
import json
import plistlib
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.helpers.doc_blocks import ROOT, read_block
from tests.helpers.sandbox import TIMEOUT_SECONDS, Completed, Sandbox, eventually

UNATTENDED = "how-to/unattended.md"
MANY = "how-to/many-at-once.md"
RECIPES = "how-to/recipes.md"
HLDCTL = Path(sys.executable).with_name("hldctl")


@pytest.fixture
def machine(sandbox: Sandbox) -> Sandbox:
    """Install hldctl where pipx does, create a project, and script a model that succeeds."""
    programs = sandbox.home / ".local" / "bin"
    programs.mkdir(parents=True)
    (programs / "hldctl").symlink_to(HLDCTL)
    (sandbox.home / "project").mkdir()
    sandbox.serve_script("say Done.")
    return sandbox


def bare_environment(machine: Sandbox) -> dict[str, str]:
    """Return the environment of cron, systemd and launchd, with the variables that lead to the model."""
    needed = {name: value for name, value in machine.environment.items() if name not in ("LANG", "PATH", "TERM")}
    return {**needed, "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}


def run(machine: Sandbox, command: str | list[str], **options: Any) -> Completed:
    argv = ["/bin/sh", "-ec", command] if isinstance(command, str) else command
    defaults = {
        "cwd": machine.work,
        "env": machine.environment,
        "stdin": subprocess.DEVNULL,
        "timeout": TIMEOUT_SECONDS,
    }
    return subprocess.run(argv, capture_output=True, text=True, check=False, **{**defaults, **options})


def test_recipe_instead_of_claude_p(machine: Sandbox) -> None:
    done = run(machine, read_block(UNATTENDED, "sh", section="## In place of `claude -p`"))
    assert done.returncode == 0, done.stderr
    assert (machine.work / "summary.md").read_text() == "Done.\n"


def test_recipe_for_a_result_in_json(sandbox: Sandbox) -> None:
    sandbox.serve_script('call StructuredOutput {"bugs": 3}')
    section = "## A result that a program reads"
    (sandbox.work / "schema.json").write_text(read_block(UNATTENDED, "json", section=section))
    command = read_block(UNATTENDED, "sh", section=section).partition(" | ")[0]
    done = run(sandbox, command)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"bugs": 3})


def test_recipe_without_overlap(machine: Sandbox) -> None:
    assert run(machine, read_block(MANY, "sh", section="## One at a time")).stdout == "Done.\n"
    assert machine.show("nightly")["result_content"] == "Done."


@pytest.mark.parametrize(
    ("document", "section", "key"),
    [(MANY, "## A limited number at a time", "max_running"), (UNATTENDED, "## Keeping what matters", "prune")],
)
def test_recipe_configuration_is_accepted(machine: Sandbox, document: str, section: str, key: str) -> None:
    text = read_block(document, "toml", section=section)
    assert key in text
    machine.configure(text)
    group = ["--group", "review"] if "[groups]" in text else []
    machine.ok("launch", "Go", "--wait", *group)


def test_recipe_with_ten_agents(machine: Sandbox) -> None:
    for name in ("part-a", "part-b", "part-c"):
        (machine.work / name).mkdir()
    done = run(machine, read_block(MANY, "sh", section="## Ten agents, and what each has to say"))
    assert (done.stdout, done.stderr) == ("Done.\n" * 3, "")


def test_recipe_with_a_command_at_the_end(machine: Sandbox) -> None:
    programs = machine.home / ".local" / "bin"
    read = "import json, sys; print(json.load(sys.stdin)[sys.argv[2][1:]])"
    scripts = {"jq": f"exec {sys.executable} -c '{read}' \"$@\"", "mail": 'cat > mailed; echo "$*" >> mailed'}
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    path = f"{programs}:{machine.environment['PATH']}"
    command = read_block(UNATTENDED, "sh", section="## Afterwards").strip() + " --wait --name nightly"
    assert run(machine, command, env={**machine.environment, "PATH": path}).returncode == 0
    assert (machine.work / "mailed").read_text() == "Done.\n-s nightly: completed me\n"


def test_recipe_for_a_rehearsal(machine: Sandbox) -> None:
    (machine.work / "Makefile").write_text("test:\n\ttouch tested\n")
    without_model = {name: value for name, value in machine.environment.items() if not name.startswith("ANTHROPIC")}
    done = run(machine, read_block(UNATTENDED, "sh", section="## Trying it before the night"), env=without_model)
    assert (done.returncode, done.stdout) == (0, "All is well.\n"), done.stderr
    assert (machine.work / "tested").exists()


def test_recipe_for_prune(machine: Sandbox) -> None:
    machine.ok("launch", "Go", "--wait")
    assert run(machine, read_block(UNATTENDED, "sh", section="## Keeping what matters")).returncode == 0


def test_recipe_for_junit(machine: Sandbox) -> None:
    good = machine.launch("Go", "--title", 'A <good> "one"')
    bad = machine.launch("Go", "--name", "nightly")
    machine.ok("wait", good, bad)
    machine.sql("UPDATE sessions SET status = 'failed', error_message = 'a' || char(10) || '& b' WHERE id = ?", bad)
    script = read_block(RECIPES, "sh", section="## JUnit")
    done = run(machine, f'ids="{good} {bad}"\n{script}')
    assert done.returncode == 0, done.stderr
    suite = ElementTree.parse(machine.work / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite] == ['A <good> "one"', "nightly"]
    assert [failure.get("message") for failure in suite.iter("failure")] == ["a & b"]


def test_recipe_for_a_summary(machine: Sandbox) -> None:
    machine.ok("launch", "Go", "--wait")
    environment = {**machine.environment, "GITHUB_STEP_SUMMARY": "summary.md"}
    script = read_block(RECIPES, "sh", section="## A summary of the job")
    assert run(machine, script, env=environment).returncode == 0
    assert "Done." in (machine.work / "summary.md").read_text()


def test_recipe_beside_a_build(machine: Sandbox) -> None:
    (machine.work / "Makefile").write_text("all:\n\ttouch built\n")
    done = run(machine, read_block(RECIPES, "sh", section="## While something else is built"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (machine.work / "review.md").read_text() == "Done.\n"
    assert (machine.work / "built").exists()


def test_recipe_after_a_reboot_is_a_line_for_cron(machine: Sandbox) -> None:
    line = read_block(RECIPES, "crontab", section="## After a reboot").removeprefix("@reboot ")
    assert run(machine, line, env=bare_environment(machine)).returncode == 0


def unit(section: str, number: int) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
    parsed.read_string(read_block(RECIPES, "ini", number, section=section))
    return parsed


def test_systemd_accepts_the_units_and_the_service_runs(machine: Sandbox) -> None:
    units = machine.home / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    (machine.home / ".config" / "hldctl").mkdir()
    (machine.home / ".config" / "hldctl" / "secrets").touch()
    for number, name in enumerate(("nightly.service", "nightly.timer")):
        (units / name).write_text(read_block(RECIPES, "ini", number, section="## systemd"))
    runtime = machine.root / "run"
    runtime.mkdir(mode=0o700)
    verified = run(
        machine,
        ["systemd-analyze", "--user", "--man=no", "verify", *map(str, sorted(units.iterdir()))],
        env={**machine.environment, "XDG_RUNTIME_DIR": str(runtime)},
    )
    # It also reports problems of the machine's own units.
    assert (verified.returncode, "nightly" in verified.stderr) == (0, False)
    service = unit("## systemd", 0)["Service"]
    # The unit has to wait for the session, and a stop must signal only hldctl.
    assert (service["KillMode"], "--wait" in service["ExecStart"]) == ("mixed", True)
    argv = [word.replace("%h", str(machine.home)) for word in shlex.split(service["ExecStart"])]
    done = run(
        machine, argv, env=bare_environment(machine), cwd=service["WorkingDirectory"].replace("%h", str(machine.home))
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Done.\n", "")
    assert machine.show("nightly")["working_dir"] == str(machine.home / "project")


def run_steps(steps: list[str], machine: Sandbox) -> None:
    """Run the steps of a job as a runner does, except the installation."""
    for step in steps:
        if step.startswith("pip install"):
            extra = step.split("[")[1].split("]")[0]
            assert f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()
            continue
        done = run(machine, step, env={**machine.environment, "CI": "true"})
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (machine.work / "review.md").read_text() == "Done.\n"
    assert "Done." in (machine.work / "session.html").read_text()


def test_github_actions_job_works(machine: Sandbox) -> None:
    job = yaml.safe_load(read_block(RECIPES, "yaml", section="## GitHub Actions"))["jobs"]["review"]
    run_steps([step["run"] for step in job["steps"] if "run" in step], machine)
    (uploaded,) = (step["with"]["path"].split() for step in job["steps"] if "upload" in step.get("uses", ""))
    assert all((machine.work / name).exists() for name in uploaded)


def test_gitlab_job_works(machine: Sandbox) -> None:
    job = yaml.safe_load(read_block(RECIPES, "yaml", section="## GitLab"))["review"]
    run_steps([*job["script"], *job["after_script"]], machine)
    assert all((machine.work / name).exists() for name in job["artifacts"]["paths"])


def test_launchd_agent_is_valid(machine: Sandbox) -> None:
    agent = plistlib.loads(read_block(RECIPES, "xml", section="## launchd").encode())
    done = run(machine, agent["ProgramArguments"], env=bare_environment(machine), cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Done.\n", "")
    assert machine.show("nightly")["working_dir"] == str(machine.home / "project")


def test_ssh_command_returns_while_the_session_runs(machine: Sandbox) -> None:
    """sshd runs the command with the login shell, and closes the connection only after the pipes are closed."""
    line = read_block(RECIPES, "sh", section="## ssh")
    program, _, command = shlex.split(line)
    assert program == "ssh"
    machine.fake_claude('while not os.path.exists("go-on"): time.sleep(0.05)')
    done = run(machine, ["/bin/sh", "-c", command], env=bare_environment(machine), cwd=machine.home)
    assert (done.returncode, done.stderr) == (0, "")
    session = machine.show(done.stdout.strip())
    assert (session["status"], session["working_dir"]) == ("running", str(machine.home / "project"))
    (machine.home / "project" / "go-on").touch()
    machine.wait_for_end(session["id"])


def test_missing_login_is_explained(sandbox: Sandbox) -> None:
    environment = {"HOME": str(sandbox.home), "PATH": "/usr/bin:/bin", "IS_SANDBOX": "1"}
    environment |= {"HLDCTL_HOME": str(sandbox.state.root)}
    done = subprocess.run(
        [HLDCTL, "launch", "Go", "--wait", "--retries", "2"],
        env=environment,
        cwd=sandbox.work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    for word in ("ANTHROPIC_API_KEY", "setup-token", "doctor"):
        assert word in done.stderr
    eventually(lambda: not sandbox.processes(), "all to leave")
    assert json.loads(sandbox.ok("show", "last", "--json"))["end_reason"] == "auth"
