from __future__ import annotations

import json

import psutil

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually
from tests.helpers.statuses import ALLOW_BASH, WAITING_SCRIPT
from tests.helpers.terminal import Terminal

SCRIPT = "say Quick.\n\n[slow]\nsay Begun.\nhang\n\n[bad]\nfail 400 no luck"


def test_wait_exits_with_the_worst_exit_code(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    good, bad, slow = (sandbox.launch(query) for query in ("good", "bad", "slow"))
    sandbox.wait_for_journal(slow, "Begun.")
    sandbox.ok("interrupt", slow)
    assert sandbox.run("wait", good).returncode == 0
    assert sandbox.run("wait", good, slow).returncode == 130
    assert sandbox.run("wait", slow, bad, good).returncode == 1


def test_any_returns_with_the_first_to_end(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    slow, good = sandbox.launch("slow"), sandbox.launch("good")
    assert sandbox.ok("wait", "--any", slow, good).split() == [good]
    assert sandbox.show(slow)["status"] == "running"
    sandbox.ok("interrupt", slow)


def test_until_waits_for_a_status(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    slow = sandbox.launch("slow")
    assert sandbox.run("wait", slow, "--until", "running").returncode == 0
    waiter = sandbox.popen("wait", slow, "--until", "interrupted")
    sandbox.wait_for_journal(slow, "Begun.")
    sandbox.ok("interrupt", slow)
    waiter.communicate(timeout=TIMEOUT_SECONDS)
    assert waiter.returncode == 130


def test_unknown_status_is_bad_usage(sandbox: Sandbox) -> None:
    rejected = sandbox.run("wait", "last", "--until", "bored")
    assert rejected.returncode == 2
    assert "bored" in rejected.stderr


def test_results_are_printed_in_the_order_of_the_ids(sandbox: Sandbox) -> None:
    """The order does not depend on which ended first, so a loop can zip queries and results."""
    sandbox.serve_script("".join(f"[{number}]\nwait {5 - number}00ms\nsay Number {number}.\n\n" for number in range(5)))
    ids = [sandbox.launch(str(number)) for number in range(5)]
    assert sandbox.ok("wait", "--results", *ids) == "".join(f"Number {number}.\n" for number in range(5))
    sessions = json.loads(sandbox.ok("wait", "--json", *reversed(ids)))
    assert [session["result_content"] for session in sessions] == [f"Number {number}." for number in (4, 3, 2, 1, 0)]
    assert sandbox.run("wait", "--json", "--results", *ids).returncode == 2


def test_deleted_session_ends_wait_and_tail(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    slow = sandbox.launch("slow")
    sandbox.wait_for_journal(slow, "Begun.")
    commands = [sandbox.popen("wait", slow), sandbox.popen("tail", "-f", slow)]
    assert commands[1].stdout is not None
    commands[1].stdout.readline()
    claude = psutil.Process(sandbox.show(slow)["pid"])
    sandbox.sql("DELETE FROM sessions WHERE id = ?", slow)
    for command in commands:
        assert slow in command.communicate(timeout=TIMEOUT_SECONDS)[1]
        assert command.returncode == 3
    claude.kill()
    eventually(lambda: not sandbox.processes(), "the supervisor to leave")


def test_timeout_ends_the_waiting_only(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    slow, bad = sandbox.launch("slow", "--name", "nightly"), sandbox.launch("bad")
    assert sandbox.run("wait", bad, "--timeout", "1m").returncode == 1
    done = sandbox.run("wait", slow, bad, "--timeout", "1s")
    assert (done.returncode, done.stdout) == (7, "")
    assert f"nightly ({slow[:8]}) is still running after --timeout 1s; see: hldctl show {slow[:8]}\n" in done.stderr
    assert f"session {bad[:8]} failed" in done.stderr
    assert sandbox.run("wait", slow, bad, "--any", "--timeout", "1s").returncode == 1
    assert sandbox.show(slow)["status"] == "running"
    refused = sandbox.run("wait", slow, "--timeout", "0")
    assert (refused.returncode, "--timeout" in refused.stderr) == (2, True)
    sandbox.ok("interrupt", slow)


def test_until_tells_a_reached_status_from_an_end_before_it(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    good, bad = sandbox.launch("good"), sandbox.launch("bad")
    assert sandbox.run("wait", good, "--until", "waiting_input").returncode == 4
    assert sandbox.run("wait", good, bad, "--until", "waiting_input").returncode == 1
    assert sandbox.run("wait", good, "--until", "completed").returncode == 0


def test_results_have_headings_at_a_terminal(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Well.")
    first, second = sandbox.launch("Go", "--title", "One"), sandbox.launch("Go")
    sandbox.ok("wait", first, second)
    with Terminal(sandbox, "wait", "--results", first, second) as terminal:
        assert terminal.wait_for_exit()[0] == 0
        screen = [line for line in terminal.screen() if line]
    assert screen == [f"── One ({first[:8]})", "Well.", f"── session {second[:8]}", "Well."]
    with Terminal(sandbox, "wait", "--results", second) as terminal:
        terminal.wait_for_exit()
        assert [line for line in terminal.screen() if line] == ["Well."]


def test_line_at_a_terminal_shows_the_activity_and_is_gone_at_the_end(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    running = sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    queued = sandbox.launch("Go", "--name", "nightly", "--if-running", "queue", *ALLOW_BASH)
    with (
        Terminal(sandbox, "wait", running) as one,
        Terminal(sandbox, "wait", queued) as waits,
        Terminal(sandbox, "wait", running, queued) as both,
    ):
        one.wait_for_screen("Bash until [ -e go-on ]")
        waits.wait_for_screen("waiting for its name, 1 ahead")
        both.wait_for_screen("0 of 2 ended")
        one.resize(40, 10)
        sandbox.release()
        for terminal in (one, waits, both):
            assert terminal.wait_for_exit()[0] == 0
            assert not any(terminal.screen())
            assert terminal.is_restored()


def test_line_of_a_waiting_launch_stays_out_of_its_output(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch made"}\n\nsay Done.')
    command = ("sh", "-c", "exec hldctl launch Go --approvals --wait > result")
    with Terminal(sandbox, columns=120, program=command) as terminal:
        terminal.wait_for_screen("asks: Bash touch made")
        screen = terminal.wait_for_screen("answer with")
        assert screen[0].startswith("hldctl: session ")
        terminal.resize(100, 24)
        sandbox.ok("approve", "--all")
        assert terminal.wait_for_exit()[0] == 0
        assert "asks" not in "\n".join(line for line in terminal.screen() if not line.startswith("hldctl"))
    assert (sandbox.work / "result").read_text() == "Done.\n"
