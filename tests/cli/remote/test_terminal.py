"""Commands on another machine at a real terminal: they draw, ask, and follow as they do here."""

from __future__ import annotations

import json
import sys
import termios
from pathlib import Path

from tests.helpers.other_machine import OtherMachine
from tests.helpers.sandbox import TIMEOUT_SECONDS, eventually
from tests.helpers.seed_database import seed_sessions
from tests.helpers.terminal import Terminal

_GATED = 'say One.\ncall Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Two.'


def launch(build: OtherMachine, script: str, *options: str) -> str:
    (build.here.work / "script.txt").write_text(script)
    return build.here.launch(
        "-H", "build", "go", "--rehearse", "script.txt", "-C", build.there.work, "--title", "Gated", *options
    )


def test_list_is_drawn_in_the_width_of_the_terminal(build: OtherMachine) -> None:
    seed_sessions(build.there.state.root, 3, 1)
    with Terminal(build.there, "ls", columns=70) as local:
        code, expected = local.wait_for_exit()
    with Terminal(build.here, "-H", "build", "ls", columns=70) as terminal:
        assert terminal.wait_for_exit() == (code, expected)
    assert "\x1b[" in expected


def test_question_of_a_command_is_asked_and_answered(build: OtherMachine) -> None:
    seed_sessions(build.there.state.root, 3, 1)
    with Terminal(build.here, "prune", "--keep", "0", "-H", "build") as terminal:
        terminal.wait_for_screen("[y/N]")
        terminal.enter("y\n")
        assert terminal.wait_for_exit()[0] == 0
    assert build.there.ok("ls", "-q", "--all") == ""


def test_permission_request_is_answered_while_following(build: OtherMachine) -> None:
    launch(build, 'call Bash {"command": "touch made"}\n\nsay Done.', "--approvals")
    with Terminal(build.here, "-H", "build", "tail", "-f", "last") as terminal:
        terminal.wait_for_screen("touch made")
        terminal.wait_for_screen("Allow?")
        terminal.enter("y\n")
        assert terminal.wait_for_exit()[0] == 0
    assert (build.there.work / "made").exists()


def test_followed_conversation_continues_after_a_broken_connection(build: OtherMachine) -> None:
    launch(build, _GATED, "--dangerously-skip-permissions")
    with Terminal(build.here, "tail", "-f", "last", "-H", "build") as terminal:
        terminal.wait_for_screen("One.")
        build.cut_connections()
        terminal.wait_for_screen("connected to build again")
        (build.there.work / "go-on").touch()
        code, _ = terminal.wait_for_exit()
        screen = "\n".join(terminal.screen())
        assert terminal.is_restored()
        assert terminal.modes()[3] & termios.ECHO
    assert code == 0
    assert screen.count("One.") == screen.count("Two.") == 1


def test_ctrl_c_stops_following_and_leaves_no_reader(build: OtherMachine) -> None:
    launch(build, _GATED, "--dangerously-skip-permissions")
    with Terminal(build.here, "tail", "-f", "last", "-H", "build") as terminal:
        terminal.wait_for_screen("One.")
        assert build.readers()
        terminal.enter("\x03")
        assert terminal.wait_for_exit()[0] == 130
        assert terminal.is_restored()
    eventually(lambda: not build.readers(), "the reader there to exit")
    assert build.here.run("-H", "build", "ls", "--status", "running", "-q").stdout


def test_terminal_that_is_closed_leaves_no_reader(build: OtherMachine) -> None:
    launch(build, _GATED, "--dangerously-skip-permissions")
    with Terminal(build.here, "top", "-H", "build") as terminal:
        terminal.wait_for_screen("Gated")
        terminal.hang_up()
        terminal.process.wait(TIMEOUT_SECONDS)
    eventually(lambda: not build.readers(), "the reader there to exit")


def test_screen_is_restored_if_the_connection_breaks(build: OtherMachine) -> None:
    launch(build, _GATED, "--dangerously-skip-permissions")
    with Terminal(build.here, "top", "-H", "build") as terminal:
        terminal.wait_for_screen("Gated")
        build.cut_connections()
        code, output = terminal.wait_for_exit()
        assert terminal.is_restored()
        assert terminal.modes()[3] & termios.ECHO
    assert code == 5
    assert "The connection to build was lost" in output


def test_session_launched_at_a_terminal_asks_for_permission(build: OtherMachine) -> None:
    """Its id goes into a file, so that the command has no terminal there."""
    (build.here.work / "ask.txt").write_text('call Bash {"command": "touch made"}\n\nsay Done.')
    program = ("sh", "-c", 'exec "$@" >id', "sh", sys.executable, "-m", "hldctl")
    options = ("--rehearse", "ask.txt", "-C", str(build.there.work))
    with Terminal(build.here, "-H", "build", "launch", "go", *options, program=program) as terminal:
        assert terminal.wait_for_exit()[0] == 0
    session_id = (build.here.work / "id").read_text().strip()
    eventually(lambda: build.there.show(session_id)["pending_approvals"] == 1, "the request")


def test_query_that_is_too_long_for_a_command_line_reaches_a_terminal(build: OtherMachine) -> None:
    (build.here.work / "query.md").write_text("long " * 100_000 + "end")
    (build.here.work / "script.txt").write_text("say Done.")
    options = ("--query-file", "query.md", "--rehearse", "script.txt", "-C", str(build.there.work))
    with Terminal(build.here, "launch", "-H", "build", "--follow", *options) as terminal:
        terminal.wait_for_output("Done.")
        assert terminal.wait_for_exit()[0] == 0
    (session,) = json.loads(build.there.ok("ls", "--json"))
    assert session["query"].endswith("long end")


def test_query_at_a_terminal_is_not_in_the_list_of_processes(build: OtherMachine) -> None:
    (build.here.work / "script.txt").write_text(_GATED)
    options = ("--rehearse", "script.txt", "-C", str(build.there.work), "--dangerously-skip-permissions")
    with Terminal(build.here, "launch", "-H", "build", "go", "--follow", *options) as terminal:
        terminal.wait_for_screen("One.")
        (reader,) = build.readers()
        stored = reader.cmdline()[-1]
        assert stored.startswith("@")
        assert not Path(stored[1:]).exists()
        terminal.enter("\x03")
        assert terminal.wait_for_exit()[0] == 130
    assert json.loads(build.there.ok("ls", "--json"))[0]["status"] == "interrupted"


def test_unknown_host_key_is_asked_about(build: OtherMachine) -> None:
    seed_sessions(build.there.state.root, 1, 1)
    (build.directory / "known").write_text("")
    with Terminal(build.here, "ls", "-q", "-H", "build") as terminal:
        terminal.wait_for_output("continue connecting")
        terminal.enter("yes\n")
        code, output = terminal.wait_for_exit()
    assert code == 0
    assert build.there.ok("ls", "-q").strip() in output
    assert "build" in (build.directory / "known").read_text()


def test_ctrl_c_at_a_question_of_ssh_stops_the_command(build: OtherMachine) -> None:
    (build.directory / "known").write_text("")
    with Terminal(build.here, "launch", "x", "-H", "build") as terminal:
        terminal.wait_for_output("continue connecting")
        terminal.enter("\x03")
        assert terminal.wait_for_exit()[0] == 130
        assert terminal.modes()[3] & termios.ECHO
    assert build.there.ok("ls", "-q") == ""
