from __future__ import annotations

import json

import psutil
import pytest

from tests.helpers.sandbox import Sandbox, count_wakeups, eventually, wait_until_asleep
from tests.helpers.terminal import JOB_CONTROL, Terminal

NEVER_ENDS = """
print(json.dumps({"type": "system", "subtype": "init"}), flush=True)
time.sleep(600)
"""

SCRIPT = """
[watch]
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done; echo out"}

say Done.

[ask]
call Bash {"command": "touch made"}

say Done.
"""


def test_top_lists_sessions_and_its_keys_act_on_them(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    watched = sandbox.launch("watch the build", "--allowed-tools", "Bash", "--name", "nightly")
    asks = sandbox.launch("ask before it is made", "--approvals", "-q")
    eventually(lambda: json.loads(sandbox.ok("approvals", "--json")), "a request")
    sandbox.wait_for_journal(watched, "go-on")
    with Terminal(sandbox, "top", columns=140, lines=20) as terminal:
        screen = terminal.wait_for_screen("asks: Bash touch made")
        assert any("1 running" in line and "1 waiting input" in line and "CPU" in line for line in screen)
        (line,) = [line for line in screen if watched[:8] in line]
        for text in ("running", "nightly: watch the build", "Bash until [ -e go-on ]", "%"):
            assert text in line
        # The newest session is selected; it waits for permission.
        terminal.enter("d")
        screen_text = "\n".join(terminal.wait_for_screen("deny? y/n"))
        assert "$ touch made" in screen_text
        assert f"in {sandbox.work}" in screen_text.replace("\n", "")
        terminal.enter("n")
        terminal.wait_for_screen("q quit")
        # Keys typed before the request is on the screen do not answer it.
        terminal.enter("ay")
        terminal.wait_for_screen("approve? y/n")
        assert sandbox.show(asks)["pending_approvals"] == 1
        terminal.enter("y")
        assert sandbox.wait_for_end(asks)["result_content"] == "Done."
        eventually(lambda: not any(asks[:8] in line for line in terminal.screen()), "it to leave the screen")
        terminal.enter("a")
        terminal.wait_for_screen("this session does not ask for anything")
        terminal.enter("f")
        terminal.wait_for_screen("▌ watch the build")
        terminal.enter("\x03")
        terminal.wait_for_screen("q quit")
        terminal.enter("\x1b[A\x1b[Bi")
        terminal.wait_for_screen(f"interrupt {watched[:8]}? y/n")
        terminal.enter("y")
        terminal.wait_for_screen("no session is running")
        terminal.enter("q")
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.show(watched)["end_reason"] == "interrupted"
    assert (sandbox.work / "made").exists()


def test_ctrl_c_leaves_top_but_not_the_session(sandbox: Sandbox) -> None:
    sandbox.fake_claude(NEVER_ENDS)
    session_id = sandbox.launch("Evil \x1b[31m title")
    with Terminal(sandbox, "top", columns=80, lines=10) as terminal:
        screen = terminal.wait_for_screen("Evil \\x1b[31m")
        assert all(len(line) <= 80 for line in screen)
        terminal.enter("\x03")
        assert terminal.wait_for_exit()[0] == 130
    assert sandbox.show(session_id)["status"] == "running"


def ids(screen: list[str]) -> list[str]:
    """Return the IDs of the sessions in the table."""
    return [words[0] for line in screen[2:] if len(words := line.split()) > 1 and len(words[0]) == 8]


def test_top_sleeps_when_idle_and_wakes_on_launch(sandbox: Sandbox) -> None:
    sandbox.fake_claude(NEVER_ENDS)
    sandbox.ok("interrupt", sandbox.launch("Hi"))
    with Terminal(sandbox, "top") as terminal:
        terminal.wait_for_screen("no session is running")
        process = psutil.Process(terminal.process.pid)
        wait_until_asleep(process)
        before = count_wakeups(process)
        with pytest.raises(psutil.TimeoutExpired):
            process.wait(3)
        assert count_wakeups(process) - before <= 3
        launched = sandbox.launch("Something")
        terminal.wait_for_screen(launched[:8])
        terminal.enter("\x1b[15~q")
        # F5 has no function, and its escape sequence does not count as keys.
        assert terminal.wait_for_exit()[0] == 0


def test_top_updates_clocks_with_few_wakeups(sandbox: Sandbox) -> None:
    sandbox.fake_claude(NEVER_ENDS)
    session_id = sandbox.launch("Hi")
    with Terminal(sandbox, "top") as terminal:
        before = terminal.wait_for_screen(session_id[:8])
        eventually(lambda: terminal.screen() != before, "another screen")
        process = psutil.Process(terminal.process.pid)
        switches = count_wakeups(process)
        with pytest.raises(psutil.TimeoutExpired):
            process.wait(5)
        # Every two seconds: one wakeup for the idle check, one for the clock, and those for writing.
        assert count_wakeups(process) - switches <= 15


def test_top_scrolls_and_keeps_the_selection(sandbox: Sandbox) -> None:
    sandbox.fake_claude(NEVER_ENDS)
    launched = [sandbox.launch(f"Number {number}")[:8] for number in range(5)]
    newest_first = launched[::-1]
    with Terminal(sandbox, "top", columns=40, lines=7) as terminal:
        screen = terminal.wait_for_screen("… 2 below")
        assert ids(screen) == newest_first[:3]
        assert screen[-1].startswith("q quit")
        terminal.enter("\x1b[B\x1b[B\x1b[B")
        assert ids(terminal.wait_for_screen("… 1 above, 1 below")) == newest_first[1:4]
        # It scrolls only when the selection reaches the edge.
        terminal.enter("kki")
        assert ids(terminal.wait_for_screen(f"interrupt {newest_first[1]}? y/n")) == newest_first[1:4]
        terminal.enter("n")
        terminal.wait_for_screen("q quit")
        terminal.enter("\x1b[6~")
        assert ids(terminal.wait_for_screen("… 2 above")) == newest_first[2:]
        terminal.enter("i")
        terminal.wait_for_screen(f"interrupt {newest_first[4]}? y/n")
        # A new session comes first and does not move the visible rows.
        another = sandbox.launch("Another")[:8]
        terminal.wait_for_screen("… 3 above")
        terminal.wait_for_screen(f"interrupt {newest_first[4]}? y/n")
        terminal.enter("n")
        terminal.wait_for_screen("q quit")
        # If the selected session ends, its neighbor is selected.
        terminal.enter("k")
        sandbox.ok("interrupt", newest_first[3])
        eventually(lambda: newest_first[3] not in ids(terminal.screen()), "it to leave")
        terminal.enter("i")
        terminal.wait_for_screen(f"interrupt {newest_first[4]}? y/n")
        terminal.enter("n")
        terminal.resize(80, 12)
        eventually(
            lambda: ids(terminal.screen()) == [another, *newest_first[:3], newest_first[4]],
            "all of them on a larger screen",
        )
        assert "ACTIVITY" in terminal.screen()[1]
        for lines in (5, 2):
            terminal.resize(20, lines)
            eventually(lambda: terminal.screen()[-1].startswith("q quit"), "a small screen")
            assert ids(["", "", *terminal.screen()])[-1] == newest_first[4]


def test_long_call_is_approved_only_after_its_end_is_shown(sandbox: Sandbox) -> None:
    files = " ".join(f"made{number:03}" for number in range(200))
    sandbox.serve_script(f'call Bash {{"command": "touch {files} the-end"}}\n\nsay Done.')
    session_id = sandbox.launch("Hi", "--approvals")
    eventually(lambda: sandbox.show(session_id)["pending_approvals"], "the request")
    with Terminal(sandbox, "top", columns=40, lines=12) as terminal:
        terminal.wait_for_screen("q quit")
        terminal.enter("a")
        screen = terminal.wait_for_screen("more below")
        assert not any("the-end" in line or "y/n" in line for line in screen)
        terminal.enter("y")
        # When the effect of the next key is drawn, `y` has been handled.
        terminal.enter(" ")
        eventually(lambda: terminal.screen()[0] != screen[0], "the next page")
        assert sandbox.show(session_id)["pending_approvals"] == 1
        terminal.enter("\x1b[F")
        terminal.wait_for_screen("approve? y/n")
        assert "the-end" in "".join(terminal.screen())
        terminal.enter("y")
        terminal.wait_for_screen("allowed ")
        assert sandbox.wait_for_end(session_id)["result_content"] == "Done."
    assert (sandbox.work / "the-end").exists()


def test_ctrl_z_restores_terminal_and_fg_redraws(sandbox: Sandbox) -> None:
    sandbox.fake_claude(NEVER_ENDS)
    session_id = sandbox.launch("Hi")[:8]
    with Terminal(sandbox, "top", program=JOB_CONTROL) as terminal:
        before = terminal.modes()
        terminal.wait_for_screen("q quit")
        terminal.enter("\x1a")
        eventually(terminal.is_restored, "its own screen to go")
        eventually(lambda: terminal.modes() == before, "an echo")
        terminal.enter("fg\n")
        eventually(lambda: not terminal.is_restored(), "its screen to come back")
        assert session_id in ids(terminal.wait_for_screen("q quit"))
        terminal.enter("q")
        eventually(terminal.is_restored, "it to leave")
        eventually(lambda: terminal.modes() == before, "an echo")


def test_top_needs_a_terminal(sandbox: Sandbox) -> None:
    rejected = sandbox.run("top")
    assert (rejected.returncode, rejected.stdout, "hldctl ls" in rejected.stderr) == (2, "", True)
    with Terminal(sandbox, "top", environment={"TERM": "dumb"}) as terminal:
        code, output = terminal.wait_for_exit()
    assert (code, "hldctl ls" in output) == (2, True)
