"""Nested sessions: a session's processes end with it, whatever their environment; those of other sessions do not."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from hldctl.system import cgroup
from tests.helpers.sandbox import Sandbox, eventually, is_dead, kill, kill_and_wait

# The command of a tool that runs until the test ends it.
STAY = "until [ -e {0}-go-on ]; do sleep 0.1; done"
# The command of a detached process; the prefix may change its environment.
ESCAPE = "(%s setsid sh -c 'echo $$ > {0}.new; mv {0}.new {0}.pid; exec sleep 7445' > /dev/null 2>&1 < /dev/null &)"


@dataclass
class Stage:
    """A set of rehearsed sessions that launch each other."""

    sandbox: Sandbox

    def script(self, name: str, *commands: str, mark: str = "") -> Path:
        """Write a script whose tool leaves a process in the background, runs the commands, and waits."""
        command = "\n".join([ESCAPE.replace("%s", mark), *commands, STAY]).replace("{0}", name)
        path = self.sandbox.work / f"{name}.txt"
        path.write_text(f"call Bash {json.dumps({'command': command})}\n\nsay Done.")
        return path

    def launch(self, script: Path) -> str:
        return self.sandbox.launch("Hello", "--rehearse", script, "--allowed-tools", "Bash")

    def background_process(self, name: str) -> psutil.Process:
        """Wait for the process that the tool of the script leaves in the background; return it."""
        file = self.sandbox.work / f"{name}.pid"
        eventually(file.exists, f"the tool of {name}")
        return psutil.Process(int(file.read_text()))

    def go_on(self, name: str) -> None:
        (self.sandbox.work / f"{name}-go-on").touch()


@pytest.fixture
def stage(sandbox: Sandbox) -> Iterator[Stage]:
    stage = Stage(sandbox)
    yield stage
    # The sandbox does not find processes that cleared their environment or have another state directory.
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HLDCTL_HOME", "").startswith(str(sandbox.root)):
                process.kill()
    kill(
        stage.background_process(path.stem)
        for path in sandbox.work.glob("*.pid")
        if psutil.pid_exists(int(path.read_text()))
    )


def launch_command(script: Path, environment: str = "") -> str:
    """Return the command of a tool that launches a session."""
    return f"{environment} hldctl launch Hello --rehearse {script} --allowed-tools Bash > {script.stem}.id"


@pytest.mark.parametrize("grace", ["10s", "0s"])
@pytest.mark.parametrize("mark", ["other", "supervisor", "6ad3c9a6-2b1c-4d3e-8f4a-5b6c7d8e9f00"])
def test_unknown_marker_does_not_protect_from_an_interrupt(stage: Stage, mark: str, grace: str) -> None:
    session_id = stage.launch(stage.script("outer", mark=f"HLDCTL_SESSION_ID={mark}"))
    background_process = stage.background_process("outer")
    stage.sandbox.ok("interrupt", session_id, "--timeout", grace)
    assert is_dead(background_process)
    eventually(lambda: not stage.sandbox.processes(), "all to leave")


def test_marker_in_project_settings_does_not_protect_a_tool(stage: Stage) -> None:
    settings = stage.sandbox.work / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"env": {"HLDCTL_SESSION_ID": "whatever"}}))
    session_id = stage.launch(stage.script("outer"))
    background_process = stage.background_process("outer")
    kill(stage.sandbox.processes(lambda process: process.pid == stage.sandbox.show(session_id)["pid"]))
    assert stage.sandbox.wait_for_end(session_id)["end_reason"] == "killed"
    assert is_dead(background_process)
    eventually(lambda: not stage.sandbox.processes(), "all to leave")


def can_make_cgroups(record: Path) -> bool:
    """Return whether this user may create a cgroup below that of this process, as the docs require."""
    with psutil.Popen(["sleep", "60"]) as process:
        cgroup.enclose(process.pid, "trial", record)
        members = cgroup.members("trial", record)
        process.kill()
        cgroup.release("trial", record)
    return members == {process.pid}


def test_orphan_without_environment_ends_with_an_adopted_session(stage: Stage) -> None:
    session_id = stage.launch(stage.script("outer", mark="env -i"))
    background_process = stage.background_process("outer")
    group = stage.sandbox.files(session_id).cgroup
    is_enclosed = can_make_cgroups(stage.sandbox.root / "trial")
    if is_enclosed:
        eventually(group.exists, "the session's cgroup")
    kill_and_wait(psutil.Process(stage.sandbox.show(session_id)["supervisor_pid"]))
    assert stage.sandbox.show(session_id)["status"] == "running"
    directory = Path(group.read_text()) if is_enclosed else None
    stage.sandbox.ok("interrupt", session_id)
    # Without a cgroup it survives, as documented.
    assert is_dead(background_process) == is_enclosed
    assert directory is None or not directory.exists()


@pytest.mark.parametrize("other_state", [False, True], ids=["one state directory", "two"])
@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "lost"])
def test_nested_session_outlives_the_outer_one(stage: Stage, supervised: bool, other_state: bool) -> None:
    inner = stage.script("inner")
    environment = f"HLDCTL_HOME={stage.sandbox.state.root}/../other" if other_state else ""
    outer = stage.launch(stage.script("outer", launch_command(inner, environment)))
    background_process, outer_process = stage.background_process("inner"), stage.background_process("outer")
    around = stage.sandbox.environment
    if other_state:
        stage.sandbox.environment = around | {"HLDCTL_HOME": str(stage.sandbox.root / "other")}
    inner_id = (stage.sandbox.work / "inner.id").read_text().strip()
    session = stage.sandbox.show(inner_id)
    if not supervised:
        kill_and_wait(psutil.Process(session["supervisor_pid"]))
    stage.sandbox.ok("interrupt", outer, environment=around)
    assert not is_dead(psutil.Process(session["pid"]))
    assert not is_dead(background_process)
    assert is_dead(outer_process)
    stage.go_on("inner")
    assert stage.sandbox.wait_for_end(inner_id)["end_reason"] == "success"


def test_doubly_nested_sessions_outlive_the_outer_ones(stage: Stage) -> None:
    middle = stage.script("middle", launch_command(stage.script("inner", mark="env -i")))
    outer = stage.launch(stage.script("outer", launch_command(middle)))
    background_process = {name: stage.background_process(name) for name in ("outer", "middle", "inner")}
    ids = {name: (stage.sandbox.work / f"{name}.id").read_text().strip() for name in ("middle", "inner")}
    kill(stage.sandbox.processes(lambda process: process.pid == stage.sandbox.show(outer)["pid"]))
    assert stage.sandbox.wait_for_end(outer)["end_reason"] == "killed"
    assert {name for name in background_process if is_dead(background_process[name])} == {"outer"}
    stage.sandbox.ok("interrupt", ids["middle"])
    assert {name for name in background_process if is_dead(background_process[name])} == {"outer", "middle"}
    stage.go_on("inner")
    assert stage.sandbox.wait_for_end(ids["inner"])["end_reason"] == "success"


def test_ended_session_leaves_no_cgroup(stage: Stage) -> None:
    """Processes left by a normal end do not keep the cgroup either: they belong to the user."""
    session_id = stage.launch(stage.script("outer"))
    background_process = stage.background_process("outer")
    group = stage.sandbox.files(session_id).cgroup
    directory = None
    if can_make_cgroups(stage.sandbox.root / "trial"):
        eventually(group.exists, "the session's cgroup")
        directory = Path(group.read_text())
    stage.go_on("outer")
    session = stage.sandbox.wait_for_end(session_id)
    assert session["end_reason"] == "success"
    assert [process["pid"] for process in session["left_running"]] == [background_process.pid]
    assert not is_dead(background_process)
    assert directory is None or not directory.exists()
    assert not group.exists()
