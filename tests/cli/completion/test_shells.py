"""TAB typed in the real shells, with completion installed as a user would."""

from __future__ import annotations

import pytest

from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

KILL_LINE = "\x15"
CLEAR = "\x0c"


class Shell:
    """A shell in a terminal, in which hldctl completes."""

    def __init__(self, terminal: Terminal, name: str) -> None:
        self._terminal = terminal
        terminal.enter("hldctl --install-completion\r")
        terminal.becomes("completion installed in")
        # Installed for the next shell. Once it has begun it says so; its prompt is to leave room.
        terminal.enter(f"exec {name}\r" + ("" if name == "fish" else "PS1='> '\r") + "echo be''gun\r")
        terminal.becomes("\nbegun")

    def shows(self, typed: str, shown: str) -> str:
        """Waits until that is shown after TAB was typed after these words, and return the screen."""
        self._terminal.enter(f"{KILL_LINE}{CLEAR}{typed}\t")
        # Bash lists what there is at the second TAB.
        if shown not in "\n".join(self._terminal.screen()):
            self._terminal.enter("\t")
        return "\n".join(self._terminal.becomes(shown))


@pytest.fixture
def ids(sandbox: Sandbox) -> list[str]:
    """A session that has ended, and one that runs."""
    sandbox.claude("if 'stay' in sys.stdin.read(): time.sleep(600)")
    ended = sandbox.launch("Hi", "--title", "Mend: the 'parser'", "--name", "night:ly")
    sandbox.run("wait", ended)
    return [ended, sandbox.launch("stay here")]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_shells_complete_all_kinds_of_arguments(sandbox: Sandbox, ids: list[str], name: str) -> None:
    ended, running = (session_id[:8] for session_id in ids)
    (sandbox.work / "a-script.txt").touch()
    (sandbox.work / "a-script.d").mkdir()
    with Terminal(sandbox, "-i", program=[name], columns=120) as terminal:
        shell = Shell(terminal, name)
        shell.shows("hldctl inter", "hldctl interrupt")
        shell.shows("hldctl launch --reh", "hldctl launch --rehearse")
        shell.shows("hldctl launch --rehearse a-script.t", "a-script.txt")
        shell.shows("hldctl launch -C a-s", "-C a-script.d")
        shell.shows("hldctl launch --query-file=a-script.t", "--query-file=a-script.txt")
        shell.shows("hldctl launch --query-file=", "--query-file=a-script.")
        shell.shows("hldctl launch --working-dir=a-s", "--working-dir=a-script.d")
        shell.shows("hldctl config set --h", "hldctl config set --help")
        shell.shows("hldctl config set approvals tr", "hldctl config set approvals true")
        shell.shows("hldctl launch --if-running=qu", "--if-running=queue")
        assert "duration" in shell.shows("hldctl ls --sort ", "activity")
        shell.shows("hldctl interrupt ", f"hldctl interrupt {running}")
        shell.shows("hldctl show night:", "hldctl show night:ly")
        shell.shows("hldctl show la", "hldctl show last")
        shown = shell.shows("hldctl show ", ended)
        assert running in shown
        assert "last" in shown
        if name != "bash":
            assert "failed · Mend: the 'parser'" in shown
            assert "running · stay here" in shown
            assert shown.index(f"{running} ") < shown.index(f"{ended} ")
