"""`action.yml`: its steps, run with bash as a runner of GitHub does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.doc_blocks import ROOT, read_block
from tests.helpers.sandbox import TIMEOUT_SECONDS, Completed, Sandbox

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
INSTALL, LAUNCH, SUMMARY, UPLOAD = STEPS
SCHEMA = '{"type": "object", "properties": {"bugs": {"type": "integer"}}, "required": ["bugs"]}'
_EXPRESSION = re.compile(r"\$\{\{ *(inputs|steps\.session\.outputs)\.([\w-]+) *\}\}")


@dataclass
class Runner:
    """What a runner does with the steps of the action."""

    sandbox: Sandbox
    place: Path
    inputs: dict[str, str]
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        return (self.place / "summary").read_text()

    def evaluate(self, text: str) -> str:
        values: Mapping[str, Mapping[str, str]] = {"inputs": self.inputs, "steps.session.outputs": self.outputs}
        return _EXPRESSION.sub(lambda match: values[match[1]].get(match[2], ""), text)

    def run(self, step: dict[str, Any], environment: Mapping[str, str]) -> Completed:
        assert step["shell"] == "bash"
        script = self.place / "script.sh"
        script.write_text(step["run"])
        for name in ("output", "summary"):
            (self.place / name).touch()
        variables = {
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(self.place / "output"),
            "GITHUB_STEP_SUMMARY": str(self.place / "summary"),
            "RUNNER_TEMP": str(self.place),
            "CI": "true",
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.sandbox.work,
            env={**environment, **variables, **{name: self.evaluate(text) for name, text in step["env"].items()}},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def run_session(self) -> Completed:
        """Run all steps but the installation and the upload; return what the session's step did."""
        programs = self.place / "hldctl" / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name in ("python", "hldctl"):
            (programs / name).write_text(f'#!/bin/sh\nexec "{Path(sys.executable).with_name(name)}" "$@"\n')
            (programs / name).chmod(0o755)
        done = self.run(LAUNCH, self.sandbox.environment)
        self.outputs |= read_outputs((self.place / "output").read_text())
        if self.outputs.get("session-id"):
            written = self.run(SUMMARY, self.sandbox.environment)
            assert written.returncode == 0, written.stderr
        return done


def read_outputs(text: str) -> dict[str, str]:
    """Return the outputs in a file of the runner: NAME=VALUE, or NAME<<MARK, the lines of the value, and MARK."""
    outputs: dict[str, str] = {}
    name, mark = "", ""
    value: list[str] = []
    for line in text.split("\n"):
        if mark and line == mark:
            outputs[name], mark = "\n".join(value), ""
        elif mark:
            value.append(line)
        elif match := re.fullmatch(r"([\w-]+)<<(\w+)", line):
            name, mark, value = match[1], match[2], []
        elif line:
            name, _, outputs[name] = line.partition("=")
    return outputs


@pytest.fixture
def runner(sandbox: Sandbox, tmp_path: Path) -> Runner:
    place = tmp_path / "runner"
    place.mkdir()
    defaults = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
    return Runner(sandbox, place, defaults)


def test_session_gives_outputs_a_summary_and_files(runner: Runner) -> None:
    runner.sandbox.serve_script('call StructuredOutput {"bugs": 3}')
    arguments = "--title\nThe review\n--effort=low\n"
    runner.inputs |= {"prompt": "Count", "model": "haiku", "json-schema": SCHEMA, "arguments": arguments}
    runner.inputs |= {"max-budget-usd": "2", "allowed-tools": "Read,Bash(git log:*)", "timeout": "20m"}
    done = runner.run_session()
    assert done.returncode == 0, done.stderr
    session = runner.sandbox.show("last")
    assert json.loads(runner.outputs.pop("structured-output")) == session["structured_output"] == {"bugs": 3}
    files = Path(runner.outputs.pop("files"))
    assert float(runner.outputs.pop("cost-usd")) == pytest.approx(session["cost_usd"], abs=1e-6)
    assert runner.outputs == {
        "session-id": session["id"],
        "status": "completed",
        "result": session["result_content"],
        "exit-code": "0",
    }
    assert (session["query"], session["title"], session["effort"]) == ("Count", "The review", "low")
    assert (session["model"], session["max_budget_usd"]) == ("haiku", 2)
    assert session["allowed_tools"] == ["Read", "Bash(git log:*)"]
    assert "The review" in runner.summary
    assert json.loads((files / "result.txt").read_text()) == {"bugs": 3}
    assert "The review" in (files / "session.html").read_text()


def test_failed_session_fails_the_step_and_has_a_summary(runner: Runner) -> None:
    runner.sandbox.serve_script("fail 400 no luck")
    runner.inputs |= {"prompt": "Hi"}
    done = runner.run_session()
    assert (done.returncode, runner.outputs["exit-code"], runner.outputs["status"]) == (1, "1", "failed")
    assert "no luck" in runner.summary
    assert "no luck" in done.stderr


def test_launch_that_is_refused_has_an_exit_code_only(runner: Runner) -> None:
    runner.inputs |= {"prompt": "Hi", "timeout": "soon"}
    done = runner.run_session()
    assert (done.returncode, runner.outputs) == (2, {"exit-code": "2"})
    assert "--timeout: 'soon' is not a duration" in done.stderr


def test_inputs_are_never_part_of_a_script(runner: Runner) -> None:
    assert not any("${{" in step.get("run", "") for step in STEPS)
    runner.sandbox.serve_script("say Done.")
    hostile = "$(touch hacked) `touch hacked`; touch hacked\n'\"\nstatus=hacked"
    runner.inputs |= {"prompt": hostile, "arguments": "--title=$(touch hacked)\n--name=a b"}
    assert runner.run_session().returncode == 2
    runner.inputs["arguments"] = "--title=$(touch hacked)"
    runner.inputs["working-directory"] = str(runner.sandbox.work)
    (runner.place / "output").write_text("")
    assert runner.run_session().returncode == 0
    session = runner.sandbox.show("last")
    assert (session["query"], session["title"]) == (hostile, "$(touch hacked)")
    assert not (runner.sandbox.work / "hacked").exists()


def test_conversation_cannot_command_the_runner_or_forge_outputs(runner: Runner) -> None:
    runner.sandbox.serve_script("say <<END\n::add-mask::secret\nresult=forged\nEOF\nstatus=forged\nEND")
    runner.inputs |= {"prompt": "::error::hacked"}
    done = runner.run_session()
    first, *_, last = done.stdout.splitlines()
    mark = first.removeprefix("::stop-commands::")
    assert (len(mark), last) == (32, f"::{mark}::")
    assert runner.outputs["status"] == "completed"
    assert runner.outputs["result"] == "::add-mask::secret\nresult=forged\nEOF\nstatus=forged"


def test_steps_after_a_failure_run_only_with_a_session() -> None:
    for step in (SUMMARY, UPLOAD):
        assert step["if"] == "always() && steps.session.outputs.session-id != ''"
    written = {*re.findall(r"steps\.session\.outputs\.([\w-]+)", (ROOT / "action.yml").read_text())}
    assert written == {*ACTION["outputs"], "files"}
    used = {*re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text())}
    assert used == {*ACTION["inputs"]}


def test_installation_takes_the_code_of_the_action(runner: Runner) -> None:
    done = runner.run(INSTALL, os.environ)
    assert done.returncode == 0, done.stderr
    installed = runner.place / "hldctl" / "bin" / "hldctl"
    path = str(Path(sys.executable).parent)
    environment = {"HOME": str(runner.sandbox.home), "PATH": f"{path}:/usr/bin:/bin"}
    found = subprocess.run([installed, "doctor"], env=environment, capture_output=True, text=True, check=False)
    assert re.search(rf"{runner.place}\S*/claude_agent_sdk/_bundled/claude", found.stdout)


def test_documented_job_uses_inputs_that_exist() -> None:
    job = yaml.safe_load(read_block("how-to/recipes.md", "yaml", section="## As an action"))["jobs"]["review"]
    (step,) = (step for step in job["steps"] if step.get("uses", "").startswith("hldctl/hldctl@"))
    assert step["with"].keys() <= ACTION["inputs"].keys()
    required = {name for name, each in ACTION["inputs"].items() if each.get("required")}
    assert required <= step["with"].keys()
