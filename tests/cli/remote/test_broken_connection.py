"""Connections that break: what follows or waits continues where it was, and nothing else is repeated."""

from __future__ import annotations

import json
import signal

import psutil
import pytest

from tests.helpers.other_machine import OtherMachine
from tests.helpers.sandbox import TIMEOUT_SECONDS, eventually, wait_until_asleep

_AGAIN = "hldctl: connected to build again\n"
_STEPS = 3
_SCRIPT = (
    "\n\n".join(
        f'say Step {step}.\ncall Bash {{"command": "until [ -e go-{step} ]; do sleep 0.05; done"}}'
        for step in range(_STEPS)
    )
    + "\n\nsay Finished."
)
"""A conversation that waits for a file at each step."""


def launch(build: OtherMachine) -> str:
    (build.here.work / "script.txt").write_text(_SCRIPT)
    options = ("--rehearse", "script.txt", "-C", build.there.work, "--dangerously-skip-permissions")
    return build.here.launch("-H", "build", "go", *options)


class Follower:
    """A command that follows the session, with its output in files."""

    def __init__(self, build: OtherMachine, *arguments: str) -> None:
        self.output, self.errors = build.here.root / "followed", build.here.root / "errors"
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            self.process = build.here.popen("-H", "build", *arguments, stdout=output, stderr=errors)

    def wait_for(self, text: str) -> None:
        eventually(lambda: text in self.output.read_text(), f"{text!r} in the output")

    def lines(self) -> list[str]:
        """Return the complete lines of the output."""
        return self.output.read_text().rpartition("\n")[0].splitlines()

    def wait_until_connected_again(self, count: int) -> None:
        eventually(lambda: self.errors.read_text().count(_AGAIN) == count, "another connection")


def play(build: OtherMachine, follower: Follower, session_id: str) -> None:
    """Cut the connection at each step of the conversation, and let it continue with and without a connection."""
    for step in range(_STEPS):
        build.there.wait_for_journal(session_id, f"Step {step}.")
        if step == 1:
            # The session continues while nobody listens.
            build.stop()
            (build.there.work / f"go-{step}").touch()
            build.there.wait_for_journal(session_id, f"Step {step + 1}.")
            build.start()
        else:
            build.cut_connections()
            (build.there.work / f"go-{step}").touch()
        follower.wait_until_connected_again(step + 1)
    assert follower.process.wait(TIMEOUT_SECONDS) == 0


def test_followed_events_have_no_gap_and_no_double(build: OtherMachine) -> None:
    session_id = launch(build)
    follower = Follower(build, "tail", "-f", "last", "--json")
    follower.wait_for("Step 0.")
    play(build, follower, session_id)
    followed = [json.loads(line) for line in follower.output.read_text().splitlines()]
    # A call is not completed yet when it is followed.
    changing = {"is_completed": None}
    assert [event | changing for event in followed] == [event | changing for event in build.there.events(session_id)]


def test_followed_text_is_that_of_an_unbroken_connection(build: OtherMachine) -> None:
    session_id = launch(build)
    follower = Follower(build, "tail", "-f", "-n", "50", session_id)
    follower.wait_for("Step 0.")
    play(build, follower, session_id)
    assert follower.output.read_text() == build.there.ok("tail", session_id)


def test_followed_journal_is_the_same_byte_for_byte(build: OtherMachine) -> None:
    session_id = launch(build)
    follower = Follower(build, "tail", "-f", session_id, "--raw")
    follower.wait_for("Step 0.")
    play(build, follower, session_id)
    assert follower.output.read_bytes() == build.there.files(session_id).journal.read_bytes()


def test_wait_continues_and_has_the_exit_code_of_the_session(build: OtherMachine) -> None:
    session_id = launch(build)
    follower = Follower(build, "wait", "last", "--results")
    eventually(build.has_reader, "the wait there")
    play(build, follower, session_id)
    assert follower.output.read_text() == "Finished.\n"


def test_wait_counts_its_timeout_over_all_connections(build: OtherMachine) -> None:
    launch(build)
    follower = Follower(build, "wait", "last", "--timeout", "3s")
    eventually(build.has_reader, "the wait there")
    build.cut_connections()
    follower.wait_until_connected_again(1)
    assert follower.process.wait(TIMEOUT_SECONDS) == 7


def changed(line: str) -> list[object]:
    """Return the fields of a change that are always the same."""
    change = json.loads(line)
    return [change[name] for name in ("id", "type", "session_id", "timestamp", "data")]


def test_feed_continues_after_the_last_event(build: OtherMachine) -> None:
    session_id = launch(build)
    follower = Follower(build, "events", "-f", "--json")
    follower.wait_for('"starting"')
    for count in (1, 2):
        build.cut_connections()
        follower.wait_until_connected_again(count)
    for step in range(_STEPS):
        (build.there.work / f"go-{step}").touch()
    build.there.wait_for_end(session_id)
    # What a change is about is printed as it is at that time.
    expected = [changed(line) for line in build.there.ok("events", "--json").splitlines()]
    eventually(lambda: [changed(line) for line in follower.lines()] == expected, "all events")
    follower.process.send_signal(signal.SIGINT)
    assert follower.process.wait(TIMEOUT_SECONDS) == 130


def test_requests_are_printed_once(build: OtherMachine) -> None:
    (build.here.work / "ask.txt").write_text('call Bash {"command": "touch one"}\n\nsay Done.')
    options = ("--rehearse", "ask.txt", "-C", build.there.work, "--approvals")
    build.here.launch("-H", "build", "go", *options)
    follower = Follower(build, "approvals", "-f", "--json")
    follower.wait_for('"pending"')
    build.cut_connections()
    follower.wait_until_connected_again(1)
    build.here.ok("-H", "build", "deny", "--all")
    follower.wait_for('"denied"')
    statuses = [json.loads(line)["status"] for line in follower.output.read_text().splitlines()]
    assert statuses == ["pending", "denied"]
    follower.process.send_signal(signal.SIGINT)
    assert follower.process.wait(TIMEOUT_SECONDS) == 130


def test_launch_is_not_repeated(build: OtherMachine) -> None:
    (build.here.work / "script.txt").write_text(_SCRIPT)
    options = ("--rehearse", "script.txt", "-C", str(build.there.work), "--dangerously-skip-permissions", "--wait")
    follower = Follower(build, "launch", "go", *options)
    eventually(lambda: "hldctl: session " in follower.errors.read_text(), "the launch")
    build.cut_connections()
    assert follower.process.wait(TIMEOUT_SECONDS) == 5
    assert follower.errors.read_text().splitlines()[-1] == (
        "hldctl: The connection to build was lost; a session that was launched continues, so look first: "
        "hldctl -H build ls"
    )
    (session_id,) = build.there.ok("ls", "-q").split()
    for step in range(_STEPS):
        (build.there.work / f"go-{step}").touch()
    assert build.there.wait_for_end(session_id)["status"] == "completed"


def test_ctrl_c_stops_a_command_that_cannot_connect(build: OtherMachine) -> None:
    launch(build)
    follower = Follower(build, "wait", "last")
    eventually(build.has_reader, "the wait there")
    build.stop()
    eventually(lambda: "connecting again" in follower.errors.read_text(), "the loss to be noticed")
    follower.process.send_signal(signal.SIGINT)
    assert follower.process.wait(TIMEOUT_SECONDS) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_reader_is_left_there(build: OtherMachine, number: signal.Signals) -> None:
    launch(build)
    follower = Follower(build, "tail", "-f", "last")
    follower.wait_for("Step 0.")
    assert build.readers()
    follower.process.send_signal(number)
    assert follower.process.wait(TIMEOUT_SECONDS) == (130 if number is signal.SIGINT else -number)
    eventually(lambda: not build.readers(), "the reader there to exit")


def test_ctrl_c_interrupts_a_session_that_is_waited_for(build: OtherMachine) -> None:
    (build.here.work / "script.txt").write_text(_SCRIPT)
    options = ("--rehearse", "script.txt", "-C", str(build.there.work), "--dangerously-skip-permissions", "--wait")
    follower = Follower(build, "launch", "go", *options)
    eventually(lambda: "hldctl: session " in follower.errors.read_text(), "the launch")
    follower.process.send_signal(signal.SIGINT)
    assert follower.process.wait(TIMEOUT_SECONDS) == 130
    (session,) = json.loads(build.there.ok("ls", "--json"))
    assert session["status"] == "interrupted"


@pytest.mark.parametrize("command", [["launch", "go"], ["interrupt", "last"]], ids=lambda command: command[0])
def test_outcome_that_is_unknown_is_said_and_the_command_not_repeated(build: OtherMachine, command: list[str]) -> None:
    calls = build.there.root / "calls"
    # The real one is too fast to be cut while it works.
    greeting = r"""printf '\000{"hldctl": "0.1.0"}\n'"""
    build.install(f"echo called >>{calls}; {greeting}; exec sleep 60")
    follower = Follower(build, *command)
    eventually(calls.exists, "the command to run there")
    build.cut_connections()
    assert follower.process.wait(TIMEOUT_SECONDS) == 5
    assert follower.errors.read_text() == (
        "hldctl: The connection to build was lost; whether the command was carried out is unknown, so look first: "
        "hldctl -H build ls\n"
    )
    assert calls.read_text() == "called\n"


def test_second_ctrl_c_stops_a_command_whose_machine_does_not_answer(build: OtherMachine) -> None:
    (build.here.work / "script.txt").write_text(_SCRIPT)
    options = ("--rehearse", "script.txt", "-C", str(build.there.work), "--dangerously-skip-permissions", "--wait")
    follower = Follower(build, "launch", "go", *options)
    eventually(lambda: "hldctl: session " in follower.errors.read_text(), "the launch")
    for process in build.connections():
        process.suspend()
    follower.process.send_signal(signal.SIGINT)
    # It has passed the first one on, to a machine that does not notice.
    wait_until_asleep(psutil.Process(follower.process.pid))
    follower.process.send_signal(signal.SIGINT)
    assert follower.process.wait(TIMEOUT_SECONDS) == 130
    assert "stopped before build had answered; a session that was launched continues" in follower.errors.read_text()
