from __future__ import annotations

import json

import psutil

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually

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
