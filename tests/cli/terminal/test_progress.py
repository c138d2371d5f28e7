"""Progress of long tasks: one line at a terminal, nothing in a pipe."""

from __future__ import annotations

import sys

from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

ITEMS = """
import sys, time
from hldctl.cli.terminal.progress import show_progress
def items():
    for number in range(4):
        time.sleep(0.3)
        yield number
for item in show_progress(items(), lambda count: f"item {count} of 4", prints_items=sys.argv[1] == "print"):
    if sys.argv[1] == "print":
        print(item)
"""
ELAPSED = """
import time
from hldctl.cli.terminal.progress import ElapsedTime
with ElapsedTime("checking") as elapsed:
    time.sleep(1.2)
    with elapsed.hidden():
        print("one finding")
"""
ERASE = "\x1b[K"


def run_at_terminal(sandbox: Sandbox, program: str, *arguments: str) -> str:
    with Terminal(sandbox, *arguments, program=(sys.executable, "-c", program)) as terminal:
        code, output = terminal.wait_for_exit()
        assert code == 0, output
        return output


def test_progress_is_counted_and_erased(sandbox: Sandbox) -> None:
    output = run_at_terminal(sandbox, ITEMS, "keep")
    assert f"{ERASE}item 2 of 4" in output
    assert output.endswith(f"\r{ERASE}")


def test_printed_items_are_their_own_progress(sandbox: Sandbox) -> None:
    assert run_at_terminal(sandbox, ITEMS, "print") == "0\n1\n2\n3\n"


def test_elapsed_time_is_erased_before_each_finding(sandbox: Sandbox) -> None:
    assert f"{ERASE}checking 1s\r{ERASE}one finding\n" in run_at_terminal(sandbox, ELAPSED)


def test_export_shows_nothing_in_a_pipe(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    assert sandbox.run("export", "last", "-o", "run.html").stderr == ""
    assert sandbox.run("doctor").stderr == ""
