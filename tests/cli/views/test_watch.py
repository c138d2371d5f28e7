"""`hldctl ls --watch`."""

from __future__ import annotations

import signal

import psutil
import pytest

from tests.helpers.sandbox import Sandbox, count_wakeups, eventually, wait_until_asleep
from tests.helpers.terminal import Terminal

WAITS_FOR_FILE = """
query = json.loads(sys.stdin.readline())["message"]["content"]
while not os.path.exists(query.strip()):
    time.sleep(0.02)
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "All is well.", "num_turns": 1}))
"""


def test_watch_updates_in_place_and_leaves_the_last_table(sandbox: Sandbox) -> None:
    sandbox.fake_claude(WAITS_FOR_FILE)
    session_id = sandbox.launch(sandbox.root / "go", "--title", "One that runs")
    with Terminal(sandbox, "ls", "--watch", columns=100) as terminal:
        header, row, *rest = terminal.wait_for_screen("running")
        assert (header.split()[0], row.split()[0]) == ("ID", session_id[:8])
        assert not any(rest)
        terminal.wait_for_screen("thinking")
        eventually(lambda: terminal.screen()[1] != row, "its clock to advance")
        (sandbox.root / "go").touch()
        _, row, *rest = terminal.wait_for_screen("completed")
        assert "All is well." in row
        assert not any(rest)
        second = sandbox.launch(sandbox.root / "never", "--title", "Another")
        _, *rows = terminal.wait_for_screen("Another")
        assert [line.split()[0] for line in rows if line] == [second[:8], session_id[:8]]
        terminal.resize(60, 10)
        terminal.process.send_signal(signal.SIGWINCH)
        eventually(
            lambda: max(map(len, terminal.screen())) <= 60 and "Another" in terminal.screen()[1], "a narrow table"
        )
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait_for_exit()[0] == 130
        # It leaves the alternate screen and shows the cursor.
        assert terminal.output.rindex("\x1b[?1049l") < terminal.output.rindex("Another")
        assert "\x1b[?25h" in terminal.output


def test_watch_draws_nothing_while_nothing_changes(sandbox: Sandbox) -> None:
    sandbox.fake_claude(WAITS_FOR_FILE)
    (sandbox.root / "go").touch()
    sandbox.wait_for_end(sandbox.launch(sandbox.root / "go"))
    with Terminal(sandbox, "ls", "--watch") as terminal:
        terminal.wait_for_screen("completed")
        process = psutil.Process(terminal.process.pid)

        wait_until_asleep(process)
        before, output = count_wakeups(process), terminal.output
        # Longer than the interval of any clock.
        with pytest.raises(psutil.TimeoutExpired):
            process.wait(2.5)
        assert count_wakeups(process) - before <= 1
        terminal.screen()
        assert terminal.output == output


def test_watch_counts_sessions_that_do_not_fit(sandbox: Sandbox) -> None:
    sandbox.fake_claude(WAITS_FOR_FILE)
    (sandbox.root / "go").touch()
    ids = [sandbox.launch(sandbox.root / "go") for _ in range(5)]
    sandbox.run("wait", *ids)
    with Terminal(sandbox, "ls", "--watch", lines=4) as terminal:
        screen = terminal.wait_for_screen("… 3 more")
        assert [line.split()[0] for line in screen] == ["ID", ids[4][:8], ids[3][:8], "…"]


@pytest.mark.parametrize("arguments", [[], ["-q"], ["--json"], ["--format", "{id}"]])
def test_watch_needs_a_terminal(sandbox: Sandbox, arguments: list[str]) -> None:
    rejected = sandbox.run("ls", "--watch", *arguments)
    assert (rejected.returncode, rejected.stdout) == (2, "")
    assert "hldctl events -f" in rejected.stderr
