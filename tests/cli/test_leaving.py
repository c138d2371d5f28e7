"""What is left of a command that somebody ends: the terminal as it was, and the sessions."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.cli.a_conversation import CONVERSATION
from tests.sandbox import Sandbox, eventually
from tests.terminal import Terminal

WORKS = CONVERSATION + 'call("a", "Bash", command="make all")\npause("end")\ndone()\n'
FOLLOWING = [["ls", "--watch"], ["tail", "-f", "last"], ["top"]]
ENDING = [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("arguments", FOLLOWING, ids=lambda words: words[0])
def test_it_dies_of_the_signal_and_leaves_the_terminal_as_it_was(
    sandbox: Sandbox, arguments: list[str], number: signal.Signals
) -> None:
    sandbox.claude(WORKS)
    session_id = sandbox.launch("Make it.")
    sandbox.journal_has(session_id, "make all")
    with Terminal(sandbox, *arguments) as terminal:
        before = terminal.modes()
        terminal.becomes("make all")
        terminal.process.send_signal(number)
        assert terminal.ended()[0] == -number
        assert terminal.is_as_before()
        assert terminal.modes() == before
        if arguments[0] == "tail":
            assert [line for line in terminal.screen() if line] == ["▌ Make it."]
    assert sandbox.show(session_id)["status"] == "running"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGHUP, -signal.SIGHUP)])
def test_a_launch_that_is_followed(sandbox: Sandbox, number: signal.Signals, code: int) -> None:
    sandbox.claude(WORKS)
    with Terminal(sandbox, "launch", "Make it.", "--follow", "--no-approvals") as terminal:
        before = terminal.modes()
        terminal.becomes("make all")
        terminal.process.send_signal(number)
        assert terminal.ended()[0] == code
        assert (terminal.is_as_before(), terminal.modes()) == (True, before)
        assert not [line for line in terminal.screen() if "make all" in line and "Bash" in line and " · " in line]
    # To close a terminal is not to stop what outlives it.
    assert sandbox.show("last")["status"] == ("interrupted" if number == signal.SIGTERM else "running")


def test_a_terminal_that_goes_takes_what_draws_on_it_and_no_session(sandbox: Sandbox) -> None:
    sandbox.claude(WORKS)
    session_id = sandbox.launch("Make it.")
    sandbox.journal_has(session_id, "make all")
    errors = sandbox.root / "errors"
    for preparation in ("", "trap '' HUP; "):
        for arguments in FOLLOWING[::2]:
            shell = ("bash", "-c", f'{preparation}exec "$@" 2> {errors}', "bash", sys.executable, "-m", "hldctl")
            with Terminal(sandbox, *arguments, program=shell) as terminal:
                terminal.becomes("make all")
                terminal.hang_up()
                assert terminal.process.wait(60) == -signal.SIGHUP
            assert errors.read_text() == ""
    assert sandbox.show(session_id)["status"] == "running"


def test_what_top_gave_the_terminal_to_puts_it_back_as_well(sandbox: Sandbox) -> None:
    sandbox.claude(WORKS)
    session_id = sandbox.launch("Make it.")
    sandbox.journal_has(session_id, "make all")
    with Terminal(sandbox, "top") as terminal:
        before = terminal.modes()
        terminal.becomes("q leave")
        terminal.enter("f")
        terminal.becomes("▌ Make it.")
        terminal.becomes("Bash make all")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ended()[0] == -signal.SIGTERM
        eventually(lambda: not sandbox.running("tail"), "the end of what followed")
        assert (terminal.is_as_before(), terminal.modes()) == (True, before)
    assert sandbox.show(session_id)["status"] == "running"


def test_a_prompt_is_left_as_it_was_found(sandbox: Sandbox) -> None:
    sandbox.play('call Bash {"command": "touch made"}\n\nsay Done.')
    session_id = sandbox.launch("Hi", "--approvals")
    eventually(lambda: sandbox.show(session_id)["pending_approvals"], "the request")
    with Terminal(sandbox, "approve") as terminal:
        before = terminal.modes()
        terminal.becomes("Allow?")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ended()[0] == -signal.SIGTERM
        assert (terminal.is_as_before(), terminal.modes()) == (True, before)
    assert sandbox.show(session_id)["pending_approvals"] == 1
