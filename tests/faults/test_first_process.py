"""hldctl as the first process of a container: its exit code, signals, orphans, and the end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.helpers.doc_blocks import read_block
from tests.helpers.sandbox import GATED_SCRIPT, TIMEOUT_SECONDS, Sandbox, eventually, is_dead, kill_and_wait

CONTAINERS = "how-to/containers.md"
UNSHARE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")


@contextmanager
def container(sandbox: Sandbox, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Run a command as the first process of a PID namespace; yield `unshare`, and that process as seen from outside."""
    command = [*UNSHARE, sys.executable, "-m", "hldctl", *arguments]
    with subprocess.Popen(
        command,
        cwd=sandbox.work,
        env=sandbox.environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        (first,) = eventually(psutil.Process(running.pid).children, "the first process")
        try:
            yield running, first
        finally:
            if not is_dead(first):
                kill_and_wait(first)


def pid_inside(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1])


def running_session(sandbox: Sandbox) -> str:
    """Return the session once its tool runs."""
    (session_id,) = eventually(lambda: sandbox.ok("ls", "-q").split(), "the session")
    sandbox.wait_for_journal(session_id, "go-on")
    return session_id


def test_exit_code_is_that_of_the_session(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    with container(sandbox, "launch", "--wait", "Go", "--on-end", "sleep 0.3; touch ran") as (running, _):
        output, errors = running.communicate()
    assert (running.returncode, output) == (0, "Done.\n"), errors
    assert (sandbox.work / "ran").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGINT, 130)])
def test_signal_interrupts_the_session(sandbox: Sandbox, number: signal.Signals, code: int) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    options = ("--allowed-tools", "Bash", "--on-end", "touch ran")
    with container(sandbox, "launch", "--wait", "Go", *options) as (running, first):
        assert pid_inside(first) == 1
        session_id = running_session(sandbox)
        first.send_signal(number)
        assert running.wait(TIMEOUT_SECONDS) == code
    assert sandbox.show(session_id)["end_reason"] == "interrupted"
    assert (sandbox.work / "ran").exists()


def test_command_without_a_handler_ends_by_the_signal(sandbox: Sandbox) -> None:
    with container(sandbox, "events", "-f") as (running, first):
        eventually(first.children, "the command")
        eventually(lambda: Path(f"/proc/{first.children()[0].pid}/wchan").read_text() != "", "the command to wait")
        first.send_signal(signal.SIGTERM)
        assert running.wait(TIMEOUT_SECONDS) == 128 + signal.SIGTERM


def recipe_arguments() -> dict[str, list[str]]:
    """Return the arguments of the recipes, each after the command that the image runs."""
    image = read_block(CONTAINERS, "dockerfile")
    entry_point = json.loads(re.findall(r"^ENTRYPOINT (.*)", image, re.MULTILINE)[0])
    job = yaml.safe_load(read_block(CONTAINERS, "yaml"))
    assert job["spec"]["backoffLimit"] == 0
    kubernetes = job["spec"]["template"]["spec"]["containers"][0]["args"]
    nomad = json.loads(re.findall(r"args +=(.*)", read_block(CONTAINERS, "hcl"))[0])
    assert entry_point[0] == "hldctl"
    return {"Kubernetes": [*entry_point[1:], *kubernetes], "Nomad": [*entry_point[1:], *nomad]}


@pytest.mark.parametrize("name", recipe_arguments())
def test_recipes_run_as_the_first_process(sandbox: Sandbox, name: str) -> None:
    sandbox.serve_script("say Done.")
    with container(sandbox, *recipe_arguments()[name]) as (running, _):
        output, errors = running.communicate(timeout=TIMEOUT_SECONDS)
    assert (running.returncode, output) == (0, "Done.\n"), errors


def test_killed_processes_are_reaped(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    with container(sandbox, "launch", "--wait", "Go", "--allowed-tools", "Bash") as (running, first):
        session_id = running_session(sandbox)
        for supervisor in sandbox.supervisors():
            os.kill(supervisor.pid, signal.SIGKILL)

        def states() -> set[str]:
            found = set[str]()
            for process in first.children(recursive=True):
                # It may be reaped at this moment.
                with contextlib.suppress(psutil.NoSuchProcess):
                    found.add(process.status())
            return found

        eventually(lambda: sandbox.supervisors() and psutil.STATUS_ZOMBIE not in states(), "another supervisor alone")
        sandbox.release()
        assert running.wait(TIMEOUT_SECONDS) == 0
    assert sandbox.show(session_id)["end_reason"] == "success"
