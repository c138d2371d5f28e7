"""`interrupt` of a session that has launched others."""

from __future__ import annotations

import json
import shlex

from tests.helpers.launching_sessions import STAY, script_of, serve, tool
from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.terminal import Terminal

NAMES = ("outer", "inner", "innermost")


def launch_tree(sandbox: Sandbox) -> dict[str, str]:
    """Launch a session that launches another one, which launches a third; return their ids by query."""
    wait = STAY.format("go-on")
    again = f"until [ -e go-on ]; do hldctl launch more -q --keep-open {shlex.join(tool(*NAMES))}; sleep 1; done"
    launch = f"hldctl launch {{}} -q {shlex.join(tool(*NAMES))}"
    serve(
        sandbox,
        script_of(sandbox, "innermost", wait),
        script_of(sandbox, "inner", launch.format("innermost"), again),
        script_of(sandbox, "outer", launch.format("inner"), wait),
    )
    sandbox.launch("outer", *tool(*NAMES))
    return eventually(lambda: _all_running(sandbox), "the sessions to run")


def _all_running(sandbox: Sandbox) -> dict[str, str]:
    found = {each["query"]: each["id"] for each in json.loads(sandbox.ok("ls", "--json", "--status", "running"))}
    return found if {*NAMES} <= set(found) else {}


def live(sandbox: Sandbox) -> int:
    return int(sandbox.sql("SELECT count(*) FROM sessions WHERE completed_at IS NULL")[0][0])


def test_tree_is_interrupted_while_it_grows(sandbox: Sandbox) -> None:
    ids = launch_tree(sandbox)
    printed = sandbox.ok("interrupt", "--tree", ids["outer"])
    stopped = [line.split()[0] for line in printed.splitlines()]
    assert stopped[0] == ids["outer"]
    assert set(ids.values()) <= set(stopped)
    assert live(sandbox) == 0
    statuses = {each["status"] for each in json.loads(sandbox.ok("ls", "--json"))}
    assert statuses == {"interrupted"}
    refused = sandbox.run("interrupt", "--tree", ids["outer"])
    assert (refused.returncode, "already ended" in refused.stderr) == (4, True)


def test_interrupt_names_the_sessions_that_continue(sandbox: Sandbox) -> None:
    ids = launch_tree(sandbox)
    done = sandbox.run("interrupt", ids["inner"])
    assert done.returncode == 0
    assert "launched within it" in done.stderr
    assert f"`hldctl interrupt --tree {ids['inner']}` stops all" in done.stderr
    assert sandbox.show(ids["innermost"])["status"] == "running"
    # What an ended session launched can still be named by it.
    assert ids["innermost"] in sandbox.ok("interrupt", "--tree", ids["inner"])
    assert sandbox.show(ids["outer"])["status"] == "running"
    sandbox.ok("interrupt", "--all")
    mixed = sandbox.run("interrupt", "--tree", "--turn", ids["outer"])
    assert mixed.returncode == 2


def test_terminal_is_asked_whether_to_stop_the_others(sandbox: Sandbox) -> None:
    ids = launch_tree(sandbox)
    with Terminal(sandbox, "interrupt", ids["outer"]) as terminal:
        terminal.wait_for_output("still running. Interrupt, too? [y/N]")
        terminal.enter("y\n")
        assert terminal.wait_for_exit()[0] == 0
    assert live(sandbox) == 0
