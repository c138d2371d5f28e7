"""Accounts that the API refuses: what one session meets holds for all sessions of its account."""

from __future__ import annotations

import itertools
import json
import time

import psutil
import pytest

from tests.helpers.account_limits import end_limit, end_limit_of_api, gates, held, limit_script, open_gate, requests
from tests.helpers.restarts import wait_for_restart
from tests.helpers.sandbox import Json, Sandbox, count_wakeups, eventually, kill_and_wait, wait_until_asleep

WAITING = ("queued", "limit")
LEFT_QUEUE = "SELECT timestamp FROM feed WHERE json_extract(data, '$.old_status') = 'queued' ORDER BY id"


def reach_limit(sandbox: Sandbox, *options: str) -> str:
    """Launch a session that is refused, and return its id when it waits for the reset."""
    session_id = sandbox.launch("First", "--wait-for-reset", *options)
    wait_for_restart(sandbox, session_id)
    return session_id


def state(session: Json) -> tuple[str, str | None]:
    return session["status"], session["waiting_for"]


def test_sessions_of_an_account_wait_for_its_limit_and_start_spread(sandbox: Sandbox) -> None:
    sandbox.configure('[limits]\nspread = "1s"')
    sandbox.serve_script(limit_script())
    ids = [reach_limit(sandbox)]
    refused = requests(sandbox)
    for number in range(3):
        ids.append(sandbox.launch(f"Number {number}"))
    assert [state(sandbox.show(session_id)) for session_id in ids] == [("starting", "limit"), *[WAITING] * 3]
    assert {sandbox.show(session_id)["limit_until"] for session_id in ids[1:]} == {sandbox.show(ids[0])["limit_until"]}
    assert requests(sandbox) == refused
    end_limit(sandbox)
    ended = [sandbox.wait_for_end(session_id) for session_id in ids]
    assert [(session["status"], session["limit_until"]) for session in ended] == [("completed", None)] * 4
    # The first one has an answer before the second one starts, and the others keep their distance.
    starts = [moment for (moment,) in sandbox.sql(LEFT_QUEUE)]
    assert len(starts) == 3
    assert all(later - earlier >= 1000 for earlier, later in itertools.pairwise(starts))
    assert gates(sandbox) == []


def test_launch_says_until_when_it_waits(sandbox: Sandbox) -> None:
    sandbox.serve_script(limit_script())
    reach_limit(sandbox)
    launched = sandbox.run("launch", "Go")
    until = time.strftime("%H:%M", time.localtime(held(sandbox)[0][1] / 1000))
    assert f"queued: usage limit until {until}" in launched.stderr
    assert f"limit until {until}: OAuth token" in sandbox.run("ls").stderr
    (queued, _) = json.loads(sandbox.ok("ls", "--json"))
    assert (queued["activity"]["waiting_for"], queued["activity"]["until"]) == ("limit", queued["limit_until"])


def test_limit_of_a_session_that_does_not_wait_holds_the_next_one(sandbox: Sandbox) -> None:
    sandbox.serve_script(limit_script())
    failed = sandbox.wait_for_end(sandbox.launch("First"))
    assert failed["end_reason"] == "api_error"
    assert state(sandbox.show(sandbox.launch("Go"))) == WAITING


def test_launch_after_the_reset_does_not_wait(sandbox: Sandbox) -> None:
    sandbox.serve_script("limit 10ms\n\nsay Done.")
    sandbox.wait_for_end(sandbox.launch("First"))
    sandbox.sql("UPDATE account_limits SET until = 0")
    assert [sandbox.show(sandbox.launch("Go"))["waiting_for"] for _ in range(2)] == [None, None]
    assert gates(sandbox) == []


def test_probe_that_is_refused_closes_the_gate_again(sandbox: Sandbox) -> None:
    sandbox.serve_script(limit_script())
    reach_limit(sandbox)
    sandbox.launch("Second")
    (before,) = gates(sandbox)
    open_gate(sandbox)
    eventually(lambda: gates(sandbox)[0][1] > before[1] - 1000, "the gate to close again")
    eventually(lambda: len(held(sandbox)) == 2, "both to wait")
    assert requests(sandbox) == 2


@pytest.mark.parametrize("killed", ["supervisor", "supervisor and guard"])
def test_death_of_the_probe_does_not_hold_up_the_others(sandbox: Sandbox, killed: str) -> None:
    sandbox.configure('[limits]\nspread = "0s"')
    sandbox.serve_script(limit_script())
    first = reach_limit(sandbox)
    second = sandbox.launch("Second")
    end_limit(sandbox, "hang\n\n[Second]\nsay Done.")
    eventually(lambda: sandbox.show(first)["pid"], "the probe to start")
    if killed == "supervisor and guard":
        for guard in sandbox.guards():
            guard.kill()
    probe = sandbox.show(first)
    kill_and_wait(psutil.Process(probe["supervisor_pid"]))
    psutil.Process(probe["pid"]).kill()
    assert sandbox.wait_for_end(second)["status"] == "completed"


def test_waiting_sessions_are_not_woken(sandbox: Sandbox) -> None:
    sandbox.serve_script(limit_script())
    first = reach_limit(sandbox)
    waiting = [sandbox.launch(f"Number {number}") for number in range(2)]
    supervisor = psutil.Process(sandbox.show(waiting[1])["supervisor_pid"])
    wait_until_asleep(supervisor)
    before = count_wakeups(supervisor)
    # The probe starts and has an answer; of the others, only the next one learns its time.
    end_limit(sandbox)
    sandbox.ok("wait", first)
    assert [state(sandbox.show(each)) for each in waiting] == [WAITING] * 2
    assert count_wakeups(supervisor) - before < 5


def test_two_accounts_do_not_hold_one_another(sandbox: Sandbox) -> None:
    sandbox.serve_script(limit_script() + "\n[Free]\nsay Done.")
    reach_limit(sandbox)
    other = {"CLAUDE_CONFIG_DIR": str(sandbox.root / "other")}
    assert state(sandbox.show(sandbox.launch("Free"))) == WAITING
    done = sandbox.run("launch", "Free", "--wait", environment=other)
    assert (done.returncode, done.stdout) == (0, "Done.\n")
    assert len(gates(sandbox)) == 1


def test_clock_that_was_set_back_does_not_block_for_longer(sandbox: Sandbox) -> None:
    sandbox.serve_script(limit_script())
    session_id = reach_limit(sandbox)
    day = 86_400_000
    sandbox.sql("UPDATE account_limits SET since = since + ?, until = until + ?", day, day)
    sandbox.files(session_id).wake_signal.touch()
    eventually(lambda: gates(sandbox)[0][1] < (time.time() + 7200) * 1000, "the gate to keep its length only")


def test_doctor_lifts_a_limit(sandbox: Sandbox) -> None:
    sandbox.serve_script(limit_script())
    first = reach_limit(sandbox)
    end_limit_of_api(sandbox)
    assert "usage limit" in sandbox.run("doctor").stdout
    assert "fixed    limits" in sandbox.run("doctor", "--fix").stdout
    assert sandbox.wait_for_end(first)["status"] == "completed"


LOGIN_SCRIPT = "fail 401 x2 OAuth token has expired\n\nsay Done."


def test_refused_login_stops_the_retries_of_all_sessions(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    # Claude Code asks twice.
    sandbox.serve_script(LOGIN_SCRIPT)
    ids = [sandbox.launch(f"Number {number}", "--retries", "5") for number in range(3)]
    first = sandbox.wait_for_end(ids[0])
    assert first["end_reason"] == "auth"
    assert "claude auth login" in first["error_message"]
    assert requests(sandbox) == 2
    eventually(
        lambda: [state(sandbox.show(each)) for each in ids[1:]] == [("queued", "login")] * 2, "the others to be held"
    )
    assert "login refused" in sandbox.run("ls").stderr
    assert "refused" in sandbox.run("launch", "Go").stderr


def test_doctor_lets_one_session_try_a_refused_login(sandbox: Sandbox) -> None:
    sandbox.serve_script("[Refused]\nfail 401 Expired\n\n[Fine]\nsay Done.")
    sandbox.wait_for_end(sandbox.launch("Refused"))
    ids = [sandbox.launch(f"Fine {number}") for number in range(2)]
    assert [state(sandbox.show(each)) for each in ids] == [("queued", "login")] * 2
    sandbox.run("doctor", "--fix")
    assert [sandbox.wait_for_end(each)["status"] for each in ids] == ["completed"] * 2
    assert gates(sandbox) == []


def test_launch_without_a_login_fails_each_time(sandbox: Sandbox) -> None:
    for _ in range(2):
        launched = sandbox.run("launch", "Hello")
        assert (launched.returncode, "claude auth login" in launched.stderr) == (5, True)


def test_launch_that_somebody_waits_for_tries_a_refused_login(sandbox: Sandbox) -> None:
    sandbox.serve_script("[Refused]\nfail 401 Expired\n\n[Fine]\nsay Done.")
    sandbox.wait_for_end(sandbox.launch("Refused"))
    held_id = sandbox.launch("Fine")
    assert sandbox.run("launch", "Refused", "--wait").returncode == 1
    assert state(sandbox.show(held_id)) == ("queued", "login")
    assert sandbox.ok("launch", "Fine", "--wait") == "Done.\n"
    assert sandbox.wait_for_end(held_id)["status"] == "completed"
