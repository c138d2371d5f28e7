"""Exhausted watches, descriptors, memory and processes: commands print an error, supervisors wait."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from hldctl.system import file_lock
from tests.faults.injection import Injection
from tests.faults.namespace import Namespace
from tests.faults.outcome import (
    assert_fully_recorded,
    assert_no_process_is_left,
    assert_refused,
    assert_succeeded,
    supervisor_process,
    wait_for_trouble,
)
from tests.helpers.sandbox import GATED_SCRIPT, Completed, Sandbox, eventually, is_dead, kill_and_wait


@pytest.fixture
def session_id(sandbox: Sandbox) -> str:
    """Return the id of a session whose tool runs and whose output so far is recorded."""
    sandbox.serve_script(GATED_SCRIPT)
    launched = sandbox.launch("Hello", "--allowed-tools", "Bash")
    eventually(lambda: "go-on" in sandbox.ok("tail", launched), "the tool call to be recorded")
    return launched


@pytest.fixture
def without_watches(sandbox: Sandbox) -> Iterator[None]:
    namespace = Namespace(sandbox, "echo 0 > /proc/sys/user/max_inotify_instances")
    yield
    sandbox.close()
    namespace.close()


@pytest.mark.usefixtures("without_watches")
def test_sessions_are_recorded_and_followed_without_inotify(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    with sandbox.popen("tail", "-f", session_id) as follower, sandbox.popen("wait", session_id) as waiting:
        eventually(lambda: "go-on" in sandbox.ok("tail", session_id), "the tool call to be recorded")
        sandbox.release()
        output, _ = follower.communicate()
        assert output.splitlines()[-1] == "claude: Two."
        assert waiting.wait() == 0
    assert_succeeded(sandbox, session_id, "Two.")


@pytest.mark.usefixtures("without_watches")
def test_session_can_be_interrupted_without_inotify(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "One.")
    sandbox.ok("interrupt", session_id)
    assert sandbox.show(session_id)["end_reason"] == "interrupted"
    assert_fully_recorded(sandbox, session_id)


def limit_descriptors(process: psutil.Process) -> None:
    """Open files stay open."""
    process.rlimit(psutil.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def remove_limit(process: psutil.Process, kind: int) -> None:
    limits = process.rlimit(kind)
    assert limits is not None
    process.rlimit(kind, (limits[1], limits[1]))


@pytest.mark.parametrize("adopted", [False, True], ids=["spawned", "adopted"])
def test_supervisor_out_of_descriptors_waits_for_some(sandbox: Sandbox, session_id: str, adopted: bool) -> None:
    if adopted:
        supervisor_process(sandbox, session_id).kill()
        sandbox.ok("show", session_id)
    supervisor = supervisor_process(sandbox, session_id)
    limit_descriptors(supervisor)
    sandbox.files(session_id).wake_signal.touch()
    sandbox.release()
    sandbox.wait_for_journal(session_id, '"type":"result"')
    wait_for_trouble(sandbox, session_id, "Too many open files")
    assert sandbox.show(session_id)["status"] == "running"
    remove_limit(supervisor, psutil.RLIMIT_NOFILE)
    assert_succeeded(sandbox, session_id, "Two.")


def test_interrupt_reaches_a_supervisor_out_of_descriptors(sandbox: Sandbox, session_id: str) -> None:
    supervisor = supervisor_process(sandbox, session_id)
    limit_descriptors(supervisor)
    with sandbox.popen("interrupt", session_id) as interrupting:
        wait_for_trouble(sandbox, session_id, "Too many open files")
        remove_limit(supervisor, psutil.RLIMIT_NOFILE)
        assert interrupting.wait() == 0
    assert sandbox.show(session_id)["end_reason"] == "interrupted"
    assert_fully_recorded(sandbox, session_id)


def run_limited(sandbox: Sandbox, limit: str, *arguments: str) -> Completed:
    command = f'ulimit {limit}; exec {sys.executable} -m hldctl "$@"'
    return subprocess.run(
        ["sh", "-c", command, "sh", *arguments],
        cwd=sandbox.work,
        env=sandbox.environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("number", range(5, 14))
def test_command_with_few_descriptors_works_or_prints_an_error(sandbox: Sandbox, number: int) -> None:
    # With fewer descriptors Python itself does not start.
    sandbox.fake_claude("")
    sandbox.ok("ls")
    for command in (["ls"], ["launch", "Hello"], ["events"]):
        done = run_limited(sandbox, f"-n {number}", *command)
        if done.returncode != 0:
            assert_refused(done)
    assert_no_process_is_left(sandbox)
    for session_id in sandbox.ok("ls", "--all", "-q").split():
        assert sandbox.show(session_id)["completed_at"] is not None


def test_supervisor_out_of_memory_waits_for_some(sandbox: Sandbox, session_id: str) -> None:
    supervisor = supervisor_process(sandbox, session_id)
    supervisor.rlimit(psutil.RLIMIT_AS, (supervisor.memory_info().vms, resource.RLIM_INFINITY))
    with sandbox.files(session_id).journal.open("ab") as journal:
        journal.write(b'{"type": "long", "text": "' + b"x" * (16 << 20) + b'"}\n')
    wait_for_trouble(sandbox, session_id, "MemoryError")
    sandbox.release()
    sandbox.wait_for_journal(session_id, '"type":"result"')
    remove_limit(supervisor, psutil.RLIMIT_AS)
    assert_succeeded(sandbox, session_id, "Two.")


def test_failed_fork_of_claude_code_fails_the_session(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.")
    injection = Injection(sandbox)
    launched = sandbox.run("launch", "Hello", environment=injection.environment("fork"))
    assert_refused(launched, "Resource temporarily unavailable", "The session is recorded")
    injection.end()
    session_id = sandbox.ok("ls", "--all", "-q").strip()
    assert sandbox.show(session_id)["end_reason"] == "spawn_failed"
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize("command", ["launch", "ls", "show"])
def test_failed_fork_of_a_supervisor_gives_an_error_message(sandbox: Sandbox, session_id: str, command: str) -> None:
    if command != "launch":
        supervisor_process(sandbox, session_id).kill()
    injection = Injection(sandbox)
    environment = injection.environment("fork-of-commands")
    arguments = {"launch": ["launch", "Hello"], "ls": ["ls"], "show": ["show", session_id]}[command]
    assert_refused(sandbox.run(*arguments, environment=environment), "Resource temporarily unavailable")
    injection.end()
    assert [path.name for path in sandbox.state.sessions.iterdir()] == [session_id]
    sandbox.release()
    assert_succeeded(sandbox, session_id, "Two.")


def test_launch_with_a_small_file_size_limit_is_refused(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.")
    for _ in range(2):
        assert_refused(run_limited(sandbox, "-f 100", "launch", "Hello"), "ulimit -f")
        assert sandbox.ok("ls", "-q") == ""
    assert run_limited(sandbox, "-f 1000000", "launch", "Hello", "--wait").stdout == "One.\n"


def test_command_with_a_small_file_size_limit_adopts_no_session(sandbox: Sandbox, session_id: str) -> None:
    kill_and_wait(supervisor_process(sandbox, session_id))
    assert run_limited(sandbox, "-f 100", "ls", "-q").stdout.split() == [session_id]
    eventually(lambda: file_lock.is_free(sandbox.files(session_id).lock), "the lock to be free")
    assert "ulimit -f" in sandbox.files(session_id).log.read_text()
    sandbox.release()
    assert_succeeded(sandbox, session_id, "Two.")


def test_interrupt_replaces_a_supervisor_that_cannot_write(sandbox: Sandbox, session_id: str) -> None:
    supervisor = supervisor_process(sandbox, session_id)
    _, hard_limit = supervisor.rlimit(psutil.RLIMIT_FSIZE)
    supervisor.rlimit(psutil.RLIMIT_FSIZE, (1 << 10, hard_limit))
    assert sandbox.ok("interrupt", session_id) == f"{session_id} interrupted\n"
    assert is_dead(supervisor)
    assert "ulimit -f" in sandbox.files(session_id).log.read_text()
    assert_fully_recorded(sandbox, session_id)
