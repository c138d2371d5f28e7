from __future__ import annotations

import json

from tests.sandbox import Sandbox, eventually
from tests.terminal import Terminal

SCRIPT = """
[watch]
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done; echo out"}

say Done.

[ask]
call Bash {"command": "touch made"}

say Done.
"""


def test_it_shows_what_runs_and_its_keys_answer_follow_and_interrupt(sandbox: Sandbox) -> None:
    sandbox.play(SCRIPT)
    watched = sandbox.launch("watch the build", "--allowed-tools", "Bash", "--name", "nightly")
    asks = sandbox.launch("ask before it is made", "--approvals", "-q")
    eventually(lambda: json.loads(sandbox.ok("approvals", "--json")), "a request")
    sandbox.journal_has(watched, "go-on")
    with Terminal(sandbox, "top", columns=140, lines=20) as terminal:
        screen = terminal.becomes("asks: Bash touch made")
        assert any("1 running" in line and "1 waiting input" in line and "CPU" in line for line in screen)
        (line,) = [line for line in screen if watched[:8] in line]
        for words in ("running", "nightly: watch the build", "Bash until [ -e go-on ]", "%"):
            assert words in line
        # The newest is selected, which waits.
        terminal.enter("d")
        terminal.becomes("deny Bash touch made? y/n")
        terminal.enter("n")
        terminal.becomes("q leave")
        terminal.enter("ay")
        assert sandbox.ended(asks)["result_content"] == "Done."
        eventually(lambda: not any(asks[:8] in line for line in terminal.screen()), "it to leave the screen")
        terminal.enter("a")
        terminal.becomes("it waits for no permission")
        terminal.enter("f")
        terminal.becomes("▌ watch the build")
        terminal.enter("\x03")
        terminal.becomes("q leave")
        terminal.enter("\x1b[A\x1b[Bi")
        terminal.becomes(f"interrupt {watched[:8]}? y/n")
        terminal.enter("y")
        terminal.becomes("nothing runs")
        terminal.enter("q")
        assert terminal.ended()[0] == 0
    assert sandbox.show(watched)["end_reason"] == "interrupted"
    assert (sandbox.work / "made").exists()


def test_ctrl_c_leaves_it_and_nothing_else(sandbox: Sandbox) -> None:
    sandbox.claude('print(json.dumps({"type": "system", "subtype": "init"}), flush=True)\ntime.sleep(600)')
    session_id = sandbox.launch("Evil \x1b[31m title")
    with Terminal(sandbox, "top", columns=80, lines=10) as terminal:
        screen = terminal.becomes("Evil \\x1b[31m")
        assert all(len(line) <= 80 for line in screen)
        terminal.enter("\x03")
        assert terminal.ended()[0] == 130
    assert sandbox.show(session_id)["status"] == "running"


def test_it_needs_a_terminal(sandbox: Sandbox) -> None:
    refused = sandbox.run("top")
    assert (refused.returncode, refused.stdout, "hldctl ls" in refused.stderr) == (2, "", True)
