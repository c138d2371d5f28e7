"""Unusual timing: sessions that wait, are restarted or run an `on_end` command."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.helpers.kill_at import crash_at
from tests.helpers.restarts import skip_delay, wait_for_restart
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, count_wakeups, eventually, kill_and_wait, wait_until_asleep
from tests.helpers.statuses import wait_for_status

INIT = 'print(json.dumps({"type": "system", "subtype": "init", "session_id": "s"}), flush=True)\n'
OK = 'print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}), flush=True)\n'
WAITS = INIT + 'while not os.path.exists("go-on"): time.sleep(0.05)\n' + OK


def column(sandbox: Sandbox, session_id: str, name: str) -> Any:
    return sandbox.sql(f"SELECT {name} FROM sessions WHERE id = ?", session_id)[0][0]


def kill(sandbox: Sandbox, session_id: str, *names: str) -> None:
    """Kill the processes whose pids are in these columns."""
    for process in [psutil.Process(column(sandbox, session_id, name)) for name in names]:
        kill_and_wait(process)


def go_on(sandbox: Sandbox) -> None:
    sandbox.release()


def stays_asleep(sandbox: Sandbox, session_id: str, command: str) -> bool:
    """Return whether the supervisor hardly wakes up while the command is run three times."""
    supervisor = psutil.Process(column(sandbox, session_id, "supervisor_pid"))
    wait_until_asleep(supervisor)
    before = count_wakeups(supervisor)
    for _ in range(3):
        sandbox.ok(command)
    return count_wakeups(supervisor) - before < 5


def test_idle_time_excludes_the_queue_and_pauses(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.fake_claude(
        f'if not os.path.exists("crashed"):\n    open("crashed", "w")\n    os.kill(os.getpid(), 9)\n{WAITS}'
    )
    first = sandbox.launch("Go", "--retries", "1", "--idle-timeout", "1h")
    waits = sandbox.launch("Go", "--idle-timeout", "1h")
    wait_for_restart(sandbox, first)
    for session_id in (first, waits):
        os.utime(sandbox.files(session_id).journal, (0, 0))
    skip_delay(sandbox, first)
    go_on(sandbox)
    assert [sandbox.wait_for_end(session_id)["end_reason"] for session_id in (first, waits)] == ["success"] * 2


@pytest.mark.parametrize("result", ["中" * 50_000, "x" * 3_000_000])
def test_long_result_does_not_prevent_the_on_end_command(sandbox: Sandbox, result: str) -> None:
    sandbox.fake_claude(INIT + OK.replace('"ok"', f'"{result[0]}" * {len(result)}'))
    done = sandbox.run("launch", "Go", "--on-end", "wc -c > told; pwd > where", "--wait", "-q")
    assert (done.returncode, len(done.stdout)) == (0, len(result) + 1)
    assert int((sandbox.work / "told").read_text()) > len(result)
    assert (sandbox.work / "where").read_text() == f"{sandbox.work}\n"


@pytest.mark.parametrize("option", [("--retries", "3"), ("--on-end", "until [ -e go-on ]; do sleep 0.1; done")])
def test_adopter_does_not_wait_for_a_pause_or_a_command(sandbox: Sandbox, option: tuple[str, str]) -> None:
    sandbox.fake_claude(WAITS)
    session_id = sandbox.launch("Go", *option)
    sandbox.wait_for_journal(session_id, "init")
    kill(sandbox, session_id, "supervisor_pid", "pid")
    sandbox.ok("ls")
    assert column(sandbox, session_id, "restarts") or column(sandbox, session_id, "on_end_pending")
    go_on(sandbox)


def test_replacement_waiting_for_a_slot_can_be_interrupted(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.fake_claude(WAITS)
    sandbox.launch("first")
    replace = ("launch", "Go", "--name", "nightly", "--if-running", "replace")
    queued = sandbox.launch(*replace[1:])
    assert column(sandbox, queued, "status") == "queued"
    with sandbox.popen(*replace, "--wait") as launch:
        eventually(lambda: column(sandbox, queued, "status") == "interrupted", "it to be replaced")
        newest = sandbox.ok("ls", "-q").split()[0]
        launch.send_signal(signal.SIGTERM)
        assert launch.wait(TIMEOUT_SECONDS) == 130
    assert column(sandbox, newest, "status") == "interrupted"


def test_relative_home_works_for_processes_of_supervisors(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.fake_claude(WAITS)
    relative = {"HLDCTL_HOME": "../state"}
    first, second = (sandbox.launch("Go", environment=relative) for _ in range(2))
    kill(sandbox, first, "supervisor_pid", "pid")
    reaches_without_commands(sandbox, second, "running")
    # The sandbox would not recognise processes with such a home.
    go_on(sandbox)
    sandbox.ok("wait", second, environment=relative)


def reaches_without_commands(sandbox: Sandbox, session_id: str, status: str) -> None:
    """Wait for the status without running a command, which could help to reach it."""
    eventually(lambda: column(sandbox, session_id, "status") == status, f"it to be {status}")


def test_session_elsewhere_uses_no_slot_and_wakes_no_supervisor(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.fake_claude(WAITS)
    foreign = sandbox.launch("Go")
    sandbox.wait_for_journal(foreign, "init")
    kill(sandbox, foreign, "supervisor_pid", "pid")
    sandbox.sql("UPDATE sessions SET host = 'elsewhere', boot_id = 'another' WHERE id = ?", foreign)
    first, waits = sandbox.launch("Go"), sandbox.launch("Go")
    assert (column(sandbox, first, "status"), column(sandbox, waits, "status")) == ("running", "queued")
    assert stays_asleep(sandbox, waits, "ls")


def test_session_with_deleted_files_frees_its_slot(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.fake_claude(WAITS)
    first, waits = sandbox.launch("Go", "--on-end", "true"), sandbox.launch("Go")
    sandbox.wait_for_journal(first, "init")
    supervisor = psutil.Process(column(sandbox, first, "supervisor_pid"))
    supervisor.suspend()
    shutil.rmtree(sandbox.files(first).directory)
    kill(sandbox, first, "pid")
    kill(sandbox, first, "supervisor_pid")
    reaches_without_commands(sandbox, waits, "running")
    assert (column(sandbox, first, "end_reason"), column(sandbox, first, "on_end_pending")) == ("lost", 0)


@pytest.mark.parametrize("options", [("--name", "nightly"), ("--retries", "1")])
def test_environment_file_is_deleted_when_no_longer_needed(sandbox: Sandbox, options: tuple[str, str]) -> None:
    sandbox.fake_claude(WAITS)
    session_id = sandbox.launch("Go", *options)
    sandbox.wait_for_journal(session_id, "init")
    request = sandbox.files(session_id).request
    assert request.exists() == ("--retries" in options)
    assert not request.exists() or request.stat().st_mode & 0o777 == 0o600
    go_on(sandbox)
    sandbox.wait_for_end(session_id)
    assert not request.exists()


def test_refused_continuation_does_not_stop_its_parent(sandbox: Sandbox) -> None:
    sandbox.fake_claude(WAITS)
    sandbox.launch("Go", "--name", "nightly")
    parent = sandbox.launch("Go")
    sandbox.wait_for_journal(parent, "init")
    assert sandbox.run("continue", parent, "more", "--name", "nightly").returncode == 4
    assert column(sandbox, parent, "status") == "running"


def test_queued_session_survives_a_new_host_name(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.fake_claude(WAITS)
    first, last = sandbox.launch("Go"), sandbox.launch("Go", "--timeout", "1h")
    sandbox.sql("UPDATE sessions SET host = 'as-it-was-before', created_at = created_at - 7200000")
    kill(sandbox, last, "supervisor_pid")
    go_on(sandbox)
    reaches_without_commands(sandbox, last, "completed")
    assert column(sandbox, first, "status") == "completed"


def test_lost_database_gives_no_second_slot_or_name(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.fake_claude(WAITS)
    ids = [sandbox.launch("Go", "--name", "nightly", "--if-running", "queue") for _ in range(2)]
    ids.append(sandbox.launch("Go"))
    sandbox.wait_for_journal(ids[0], "init")
    # A guard whose supervisor starts again would write into the directory.
    for process in (*sandbox.guards(), *sandbox.supervisors()):
        kill_and_wait(process)
    for file in sandbox.state.root.glob("hldctl.db*"):
        file.unlink()
    for session_id in ids:
        os.utime(sandbox.files(session_id).directory, (0, 0))
    sandbox.run("doctor", "--fix")
    assert [column(sandbox, session_id, "status") for session_id in ids] == ["running", "queued", "queued"]
    go_on(sandbox)
    assert [sandbox.wait_for_end(session_id)["status"] for session_id in ids] == ["completed"] * 3


@pytest.mark.parametrize("resets_at", [1_800_000_000_000_000, -5, 0, '"soon"', "[]"])
def test_invalid_reset_time_is_unknown(sandbox: Sandbox, resets_at: object) -> None:
    limit = f'{{"type": "rate_limit_event", "rate_limit_info": {{"status": "rejected", "resetsAt": {resets_at}}}}}'
    failed = '{"type": "result", "subtype": "success", "is_error": true, "api_error_status": 429, "result": "limit"}'
    sandbox.fake_claude(f"{INIT}print({limit!r})\nprint({failed!r})\nsys.exit(1)")
    session_id = sandbox.launch("Go", "--wait-for-reset")
    wait_for_restart(sandbox, session_id)
    (restart,) = restarts_if_at_least(sandbox, session_id, 1)
    assert round((restart["due"] - restart["at"]) / 1000) == 300
    sandbox.ok("interrupt", session_id)


def test_past_reset_time_is_retried_with_growing_pauses(sandbox: Sandbox) -> None:
    sandbox.serve_script("limit 1m\n\nsay Done.")
    limit = '{"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1700000000}}'
    failed = '{"type": "result", "subtype": "success", "is_error": true, "api_error_status": 429, "result": "limit"}'
    sandbox.fake_claude(f"{INIT}print({limit!r})\nprint({failed!r})\nsys.exit(1)")
    session_id = sandbox.launch("Go", "--wait-for-reset")
    wait_for_restart(sandbox, session_id)
    pauses = []
    for number in range(3):
        restarts = eventually(lambda number=number: restarts_if_at_least(sandbox, session_id, number + 1), "one more")  # type: ignore[misc]
        pauses.append(round((restarts[-1]["due"] - restarts[-1]["at"]) / 1000))
        end_pause(sandbox, session_id)
    assert pauses == [10, 20, 40]
    sandbox.ok("interrupt", session_id)


def restarts_if_at_least(sandbox: Sandbox, session_id: str, count: int) -> list[dict[str, Any]]:
    import json

    restarts: list[dict[str, Any]] = json.loads(column(sandbox, session_id, "restarts") or "[]")
    return restarts if len(restarts) >= count else []


def end_pause(sandbox: Sandbox, session_id: str) -> None:
    """Make the pause of the session end now."""
    import json
    import time

    restarts = restarts_if_at_least(sandbox, session_id, 1)
    restarts[-1]["due"] = int(time.time() * 1000)
    sandbox.sql("UPDATE account_limits SET until = ?", restarts[-1]["due"])
    sandbox.sql("UPDATE sessions SET restarts = ? WHERE id = ?", json.dumps(restarts), session_id)
    sandbox.files(session_id).wake_signal.touch()


def test_on_end_command_has_the_launchers_umask(sandbox: Sandbox) -> None:
    sandbox.fake_claude(INIT + OK)
    sandbox.ok("launch", "Go", "--on-end", "umask > told", "--wait", "-q")
    assert (sandbox.work / "told").read_text().strip() == "0022"


@pytest.mark.parametrize("command", ["cat > told <<EOF\nhello", "echo hello > told #", "echo hello > told \\"])
def test_accepted_command_is_run(sandbox: Sandbox, command: str) -> None:
    sandbox.fake_claude(INIT + OK)
    sandbox.ok("launch", "Go", "--on-end", command, "--wait", "-q")
    assert (sandbox.work / "told").exists()


@pytest.mark.parametrize("settings", ['{"env": null}', '{"env": []}', '{"env": {"FOO": 1}}'])
def test_rehearsal_accepts_unusual_settings_and_leaks_nothing(sandbox: Sandbox, settings: str) -> None:
    (sandbox.work / "script").write_text("fail 529 x1 Overloaded\n\nsay Done.")
    done = sandbox.run("launch", "Go", "--rehearse", "script", "--settings", settings, "--wait")
    assert (done.returncode, done.stdout) == (0, "Done.\n")
    files = sandbox.files(sandbox.show("last")["id"]).directory.iterdir()
    assert [file for file in files if file.is_file() and file.stat().st_mode & 0o077] == []


def test_failed_prune_does_not_prevent_a_launch(sandbox: Sandbox) -> None:
    sandbox.configure("[prune]\nkeep = 5")
    sandbox.fake_claude(INIT + OK)
    sandbox.state.root.mkdir(mode=0o700, parents=True)
    sandbox.state.prune_log.mkdir()
    os.utime(sandbox.state.prune_log, (0, 0))
    assert sandbox.wait_for_end(sandbox.launch("Go"))["status"] == "completed"


@pytest.mark.parametrize("options", [("--name", "nightly"), ("--retries", "1")])
def test_claude_code_started_by_a_script_starts_once(sandbox: Sandbox, options: tuple[str, str]) -> None:
    """asdf and mise put such a script in front of it; the supervisor dies before it has recorded the pid."""
    real = sandbox.fake_claude('open("runs", "a").write("x")\n' + WAITS)
    real = real.rename(real.with_name("real"))
    shim = Path(sandbox.environment["HLDCTL_CLAUDE"])
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {real} "$@"\n')
    shim.chmod(0o755)
    crash_at(sandbox, "spawn:return")
    sandbox.run("launch", "Go", *options)
    session_id = eventually(lambda: sandbox.ok("ls", "-q").strip(), "the session")
    wait_for_status(sandbox, session_id, "running")
    go_on(sandbox)
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    assert (sandbox.work / "runs").read_text() == "x"


@pytest.mark.parametrize("step", ["start_claude:call", "create:return", "admit:call"])
def test_launch_reported_as_failed_is_not_done_later(sandbox: Sandbox, step: str) -> None:
    sandbox.fake_claude('open("runs", "a").write("x")\n' + INIT + OK)
    crash_at(sandbox, step)
    assert sandbox.run("launch", "Go", "--name", "nightly", "--retries", "1").returncode == 5
    for session_id in sandbox.ok("ls", "-q").split():
        assert sandbox.wait_for_end(session_id)["end_reason"] == "lost"
    assert not (sandbox.work / "runs").exists()


@pytest.mark.parametrize("step", ["save_request:return", "write_inputs:return"])
def test_remains_of_a_killed_launch_are_removed(sandbox: Sandbox, step: str) -> None:
    sandbox.fake_claude(INIT + OK)
    (sandbox.work / "script").write_text("say Done.")
    crash_at(sandbox, step)
    assert sandbox.run("launch", "Go", "--name", "nightly", "--rehearse", "script").returncode == 5
    (directory,) = sandbox.state.sessions.iterdir()
    os.utime(directory, (0, 0))
    sandbox.run("doctor", "--fix")
    assert not list(sandbox.state.sessions.iterdir())


@pytest.mark.parametrize("step", ["conclude:return", "SessionLifecycle._finish:call", "end:return", "end:call"])
def test_environment_file_of_a_killed_session_is_deleted(sandbox: Sandbox, step: str) -> None:
    sandbox.fake_claude(INIT + OK)
    crash_at(sandbox, step)
    session_id = sandbox.launch("Go", "--retries", "1")
    eventually((sandbox.root / "killed").exists, "the step")
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    assert not sandbox.files(session_id).request.exists()


def test_rm_reports_a_running_on_end_command(sandbox: Sandbox) -> None:
    sandbox.fake_claude(INIT + OK)
    session_id = sandbox.launch("Go", "--on-end", "until [ -e go-on ]; do sleep 0.1; done")
    eventually(lambda: column(sandbox, session_id, "on_end_pending"), "the end")
    refused = sandbox.run("rm", session_id)
    assert (refused.returncode, "--on-end command" in refused.stderr) == (4, True)
    go_on(sandbox)
    eventually(lambda: not column(sandbox, session_id, "on_end_pending"), "the command's end")
    sandbox.ok("rm", session_id)
