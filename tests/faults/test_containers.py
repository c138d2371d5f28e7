"""One state directory used from several PID namespaces of a machine: a host and its containers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.crash.audit import faults
from tests.faults.namespace import Container
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually, is_dead, kill_and_wait

ASKING = 'call Bash {"command": "touch made"}\n\nsay Done.'
Opener = Callable[[], Container]


@pytest.fixture
def open_container(sandbox: Sandbox) -> Iterator[Opener]:
    """Return a function that opens a container; all containers are closed at the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Container(sandbox)))


def pending(sandbox: Sandbox) -> list[str]:
    return [approval["id"] for approval in json.loads(sandbox.ok("approvals", "--json"))]


def launch(container: Container, *options: str) -> str:
    """Launch a session, wait until its tool runs and return its id."""
    container.sandbox.serve_script(GATED_SCRIPT)
    session_id = container.sandbox.launch("Hello", "--allowed-tools", "Bash", *options)
    container.sandbox.wait_for_journal(session_id, "go-on")
    return session_id


def kill_supervisor(container: Container) -> None:
    for process in sorted(container.processes("hldctl.supervisor"), key=lambda process: process.name() != "sh"):
        # First the guard, which would start another.
        kill_and_wait(process)


def status(sandbox: Sandbox, session_id: str) -> str:
    return sandbox.ok("ls", "--all", "--format", "{id} {status}").partition(f"{session_id} ")[2].split()[0]


def container_findings(sandbox: Sandbox) -> list[str]:
    findings = json.loads(sandbox.run("doctor", "--json").stdout)
    return [finding["message"] for finding in findings if finding["subject"] == "containers"]


def test_request_in_a_container_is_answered_from_outside(sandbox: Sandbox, open_container: Opener) -> None:
    inside = open_container().sandbox
    inside.serve_script(ASKING)
    session_id = inside.launch("Hello", "--approvals")
    (approval,) = eventually(lambda: pending(inside), "the request")
    for _ in range(3):
        assert pending(sandbox) == [approval]
    sandbox.ok("approve", approval)
    assert sandbox.run("wait", session_id).returncode == 0
    assert (sandbox.work / "made").exists()
    assert faults(sandbox, session_id) == []


def test_request_in_a_container_is_not_expired_from_another(sandbox: Sandbox, open_container: Opener) -> None:
    inside, other = open_container().sandbox, open_container().sandbox
    inside.serve_script(ASKING)
    session_id = inside.launch("Hello", "--approvals")
    (approval,) = eventually(lambda: pending(inside), "the request")
    assert pending(other) == [approval]
    assert f"{approval[:8]}" in other.ok("approvals")
    other.ok("deny", approval, "--message", "No.")
    assert inside.run("wait", session_id).returncode == 0
    assert not (sandbox.work / "made").exists()


def test_session_in_a_container_is_interrupted_from_outside(sandbox: Sandbox, open_container: Opener) -> None:
    container = open_container()
    session_id = launch(container)
    assert "can be answered and interrupted from here" in sandbox.ok("show", session_id)
    assert len(container_findings(sandbox)) == 1
    sandbox.ok("interrupt", session_id)
    assert status(sandbox, session_id) == "interrupted"
    eventually(lambda: not sandbox.processes(), "all to leave")


@pytest.mark.parametrize("where", ["outside", "beside"])
def test_claude_in_a_container_is_not_considered_dead(sandbox: Sandbox, open_container: Opener, where: str) -> None:
    container = open_container()
    watcher = sandbox if where == "outside" else open_container().sandbox
    session_id = launch(container)
    kill_supervisor(container)
    # Not the shells that it starts for its tools, which end by themselves.
    (claude,) = (process for process in container.processes("claude") if process.name() == "claude")
    assert status(watcher, session_id) == "running"
    assert "run any hldctl command there" in watcher.ok("show", session_id)
    refused = watcher.run("interrupt", session_id)
    assert (refused.returncode, "run any hldctl command there" in refused.stderr) == (4, True)
    assert watcher.run("rm", "--force", session_id).returncode == 4
    assert len(container_findings(watcher)) == 1
    assert not is_dead(claude)
    sandbox.release()
    assert container.sandbox.run("wait", session_id).returncode == 0
    assert status(watcher, session_id) == "completed"
    assert faults(sandbox, session_id) == []


def test_claude_outside_is_not_considered_dead_in_a_container(sandbox: Sandbox, open_container: Opener) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    (supervisor,) = sandbox.supervisors()
    kill_and_wait(supervisor)
    assert status(open_container().sandbox, session_id) == "running"
    sandbox.release()
    assert sandbox.run("wait", session_id).returncode == 0


def test_session_is_lost_with_its_container(sandbox: Sandbox, open_container: Opener) -> None:
    container = open_container()
    session_id = launch(container)
    container.close()
    assert sandbox.show(session_id)["end_reason"] == "lost"
    assert faults(sandbox, session_id) == []


def test_unsupervised_end_in_a_container_is_recorded_from_outside(sandbox: Sandbox, open_container: Opener) -> None:
    container = open_container()
    session_id = launch(container)
    kill_supervisor(container)
    claudes = container.processes("claude")
    sandbox.release()
    eventually(lambda: all(map(is_dead, claudes)), "its end")
    assert sandbox.show(session_id)["end_reason"] == "success"


@pytest.mark.parametrize("remedy", ["rm", "doctor"])
def test_pending_start_of_a_lost_container_is_not_done_elsewhere(
    sandbox: Sandbox, open_container: Opener, remedy: str
) -> None:
    """Outside, the command would run without the isolation of its container."""
    container = open_container()
    session_id = launch(container, "--on-end", "touch ended-here")
    container.close()
    assert status(sandbox, session_id) == "running"
    assert "hldctl doctor --fix" in sandbox.ok("show", session_id)
    assert sandbox.run("interrupt", session_id).returncode == 4
    assert sandbox.run("rm", session_id).returncode == 4
    assert not (sandbox.work / "ended-here").exists()
    if remedy == "rm":
        sandbox.ok("rm", "--force", session_id)
        assert sandbox.run("show", session_id).returncode == 3
    else:
        assert len(container_findings(sandbox)) == 1
        sandbox.run("doctor", "--fix")
        assert sandbox.show(session_id)["end_reason"] == "lost"
        eventually((sandbox.work / "ended-here").exists, "the command at the end")
    assert container_findings(sandbox) == []
