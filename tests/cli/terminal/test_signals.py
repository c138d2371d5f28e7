"""Signals to a command at a terminal: they restore the terminal and leave the sessions running."""

from __future__ import annotations

import signal
import sys

import psutil
import pytest

from tests.helpers.fake_claude_conversation import CONVERSATION
from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.terminal import IN_BACKGROUND, Terminal

RUNS_MAKE = CONVERSATION + 'call("a", "Bash", command="make all")\npause("end")\ndone()\n'
FOLLOWERS = [["ls", "--watch"], ["tail", "-f", "last"], ["top"]]
SIGNALS = [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("arguments", FOLLOWERS, ids=lambda arguments: arguments[0])
def test_signal_ends_follower_and_restores_terminal(
    sandbox: Sandbox, arguments: list[str], number: signal.Signals
) -> None:
    sandbox.fake_claude(RUNS_MAKE)
    session_id = sandbox.launch("Make it.")
    sandbox.wait_for_journal(session_id, "make all")
    with Terminal(sandbox, *arguments) as terminal:
        before = terminal.modes()
        terminal.wait_for_screen("make all")
        terminal.process.send_signal(number)
        assert terminal.wait_for_exit()[0] == -number
        assert terminal.is_restored()
        assert terminal.modes() == before
        if arguments[0] == "tail":
            assert [line for line in terminal.screen() if line] == ["▌ Make it."]
    assert sandbox.show(session_id)["status"] == "running"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGHUP, -signal.SIGHUP)])
def test_signal_ends_followed_launch_and_restores_terminal(sandbox: Sandbox, number: signal.Signals, code: int) -> None:
    sandbox.fake_claude(RUNS_MAKE)
    with Terminal(sandbox, "launch", "Make it.", "--follow", "--no-approvals") as terminal:
        before = terminal.modes()
        terminal.wait_for_screen("make all")
        terminal.process.send_signal(number)
        assert terminal.wait_for_exit()[0] == code
        assert (terminal.is_restored(), terminal.modes()) == (True, before)
        assert not [line for line in terminal.screen() if "make all" in line and "Bash" in line and " · " in line]
    # Closing a terminal does not stop the session, which outlives it.
    assert sandbox.show("last")["status"] == ("interrupted" if number == signal.SIGTERM else "running")


@pytest.mark.parametrize("arguments", [*FOLLOWERS, ["wait", "last"]], ids=lambda arguments: arguments[0])
def test_flood_of_ctrl_c_ends_command_without_a_traceback(sandbox: Sandbox, arguments: list[str]) -> None:
    sandbox.fake_claude(RUNS_MAKE)
    session_id = sandbox.launch("Make it.")
    sandbox.wait_for_journal(session_id, "make all")
    errors = sandbox.root / "errors"
    shell = ("bash", "-c", f'exec "$@" 2> {errors}', "bash", sys.executable, "-m", "hldctl")
    with Terminal(sandbox, *arguments, program=shell) as terminal:
        if arguments[0] == "wait":
            waiter = psutil.Process(terminal.process.pid)
            eventually(lambda: any("apsw" in file.path for file in waiter.memory_maps()), "the database to be read")
        else:
            terminal.wait_for_screen("make all")
        while terminal.process.poll() is None:
            terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.returncode == 130
        assert terminal.is_restored()
    assert errors.read_text() == ""
    assert sandbox.show(session_id)["status"] == "running"


def test_hangup_ends_follower_but_not_the_session(sandbox: Sandbox) -> None:
    sandbox.fake_claude(RUNS_MAKE)
    session_id = sandbox.launch("Make it.")
    sandbox.wait_for_journal(session_id, "make all")
    errors = sandbox.root / "errors"
    for preparation in ("", "trap '' HUP; "):
        for arguments in FOLLOWERS[::2]:
            shell = ("bash", "-c", f'{preparation}exec "$@" 2> {errors}', "bash", sys.executable, "-m", "hldctl")
            with Terminal(sandbox, *arguments, program=shell) as terminal:
                terminal.wait_for_screen("make all")
                terminal.hang_up()
                assert terminal.process.wait(60) == -signal.SIGHUP
            assert errors.read_text() == ""
    assert sandbox.show(session_id)["status"] == "running"


def test_signal_to_top_ends_its_follower_and_restores_terminal(sandbox: Sandbox) -> None:
    sandbox.fake_claude(RUNS_MAKE)
    session_id = sandbox.launch("Make it.")
    sandbox.wait_for_journal(session_id, "make all")
    with Terminal(sandbox, "top") as terminal:
        before = terminal.modes()
        terminal.wait_for_screen("q quit")
        terminal.enter("f")
        terminal.wait_for_screen("▌ Make it.")
        terminal.wait_for_screen("Bash make all")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait_for_exit()[0] == -signal.SIGTERM
        eventually(lambda: not sandbox.processes_with_argument("tail"), "the end of what followed")
        assert (terminal.is_restored(), terminal.modes()) == (True, before)
    assert sandbox.show(session_id)["status"] == "running"


def test_signal_at_prompt_restores_terminal_and_answers_nothing(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch made"}\n\nsay Done.')
    session_id = sandbox.launch("Hi", "--approvals")
    eventually(lambda: sandbox.show(session_id)["pending_approvals"], "the request")
    with Terminal(sandbox, "approve") as terminal:
        before = terminal.modes()
        terminal.wait_for_screen("Allow?")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait_for_exit()[0] == -signal.SIGTERM
        assert (terminal.is_restored(), terminal.modes()) == (True, before)
    assert sandbox.show(session_id)["pending_approvals"] == 1


DRAWERS = [["ls", "--watch"], ["top"]]


def children(sandbox: Sandbox, shell: int) -> list[psutil.Process]:
    """Return the child processes of the shell."""
    return sandbox.processes(lambda process: process.ppid() == shell)


def is_stopped(sandbox: Sandbox, shell: int) -> bool:
    return [process.status() for process in children(sandbox, shell)] == [psutil.STATUS_STOPPED]


@pytest.mark.parametrize("arguments", DRAWERS, ids=lambda arguments: arguments[0])
def test_background_process_draws_nothing(sandbox: Sandbox, arguments: list[str]) -> None:
    sandbox.fake_claude(RUNS_MAKE)
    session_id = sandbox.launch("Make it.")
    sandbox.wait_for_journal(session_id, "make all")
    with Terminal(sandbox, *arguments, program=IN_BACKGROUND) as terminal:
        shell = terminal.process.pid
        eventually(lambda: is_stopped(sandbox, shell), "it to be stopped")
        before = terminal.modes()
        terminal.screen()
        assert "\x1b" not in terminal.output
        terminal.enter("fg\n")
        terminal.wait_for_screen("make all")
        terminal.enter("\x1a")
        eventually(terminal.is_restored, "its own screen to go")
        eventually(lambda: is_stopped(sandbox, shell), "it to be stopped")
        terminal.screen()
        output = terminal.output
        # A signal that wakes it in the background stops it again.
        (process,) = children(sandbox, shell)
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGWINCH)
        eventually(lambda: is_stopped(sandbox, shell), "it to be stopped")
        sandbox.ok("set", session_id, "--title", "New")
        process.send_signal(signal.SIGCONT)
        eventually(lambda: is_stopped(sandbox, shell), "it to be stopped")
        terminal.screen()
        assert terminal.output.replace("\r", "").strip().startswith(output.replace("\r", "").strip())
        assert "\x1b[?1049h" not in terminal.output[len(output) :]
        terminal.enter("fg\n")
        eventually(lambda: not terminal.is_restored(), "its screen to come back")
        terminal.enter("\x03")
        eventually(lambda: not children(sandbox, shell), "its end")
        assert (terminal.is_restored(), terminal.modes()) == (True, before)


@pytest.mark.parametrize("arguments", DRAWERS, ids=lambda arguments: arguments[0])
def test_killed_command_leaves_no_temporary_files(sandbox: Sandbox, arguments: list[str]) -> None:
    sandbox.fake_claude(RUNS_MAKE)
    session_id = sandbox.launch("Make it.")
    sandbox.wait_for_journal(session_id, "make all")
    with Terminal(sandbox, *arguments, environment={"TMPDIR": str(sandbox.temporary)}) as terminal:
        terminal.wait_for_screen("make all")
        # A resize wakes it.
        terminal.resize(60, 12)
        terminal.process.send_signal(signal.SIGWINCH)
        eventually(lambda: max(map(len, terminal.screen())) <= 60, "a narrow screen")
        terminal.process.kill()
        terminal.process.wait()
    assert [path.name for path in sandbox.temporary.iterdir() if path.name.startswith(("hldctl", "tmp"))] == []


@pytest.mark.parametrize("on_end", [[], ["--on-end", "until [ -e done ]; do sleep 0.1; done"]], ids=["none", "on-end"])
def test_launch_reports_completion_that_precedes_the_signal(sandbox: Sandbox, on_end: list[str]) -> None:
    sandbox.fake_claude(RUNS_MAKE)
    with sandbox.popen("launch", "Make it.", "--follow", *on_end) as process:
        eventually(lambda: sandbox.ok("ls", "-q"), "the session")
        session_id = sandbox.ok("ls", "-q").strip()
        sandbox.wait_for_journal(session_id, "make all")
        eventually(lambda: len(sandbox.events(session_id)) > 1, "the call")
        process.send_signal(signal.SIGSTOP)
        (sandbox.work / "end").touch()
        eventually(lambda: sandbox.show(session_id)["status"] == "completed", "the end")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=60)
    (sandbox.work / "done").touch()
    assert process.returncode == 0
    assert ("no longer waiting for the on_end command" in errors) == bool(on_end)
