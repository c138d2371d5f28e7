"""TAB in the real shells, with completion installed as by a user."""

from __future__ import annotations

import pytest

from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

KILL_LINE = "\x15"
CLEAR = "\x0c"


class Shell:
    """A shell in a terminal, with completion of hldctl installed."""

    def __init__(self, terminal: Terminal, name: str) -> None:
        self._terminal = terminal
        terminal.enter("hldctl --install-completion\r")
        terminal.wait_for_screen("completion installed in")
        # Completion works in the next shell. It prints a word when it is ready. A short prompt leaves room.
        terminal.enter(f"exec {name}\r" + ("" if name == "fish" else "PS1='> '\r") + "echo be''gun\r")
        terminal.wait_for_screen("\nbegun")

    def complete(self, typed: str, expected: str) -> str:
        """Type these words and TAB, wait until the expected text is shown, and return the screen."""
        self._terminal.enter(f"{KILL_LINE}{CLEAR}{typed}\t")
        # Bash lists the candidates after a second TAB.
        if expected not in "\n".join(self._terminal.screen()):
            self._terminal.enter("\t")
        return "\n".join(self._terminal.wait_for_screen(expected))


@pytest.fixture
def ids(sandbox: Sandbox) -> list[str]:
    """Return the IDs of an ended and a running session."""
    sandbox.fake_claude("if 'stay' in sys.stdin.readline(): time.sleep(600)")
    ended = sandbox.launch("Hi", "--title", "Fix: the 'parser'", "--name", "night:ly")
    sandbox.run("wait", ended)
    return [ended, sandbox.launch("stay here")]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_shells_complete_all_kinds_of_arguments(sandbox: Sandbox, ids: list[str], name: str) -> None:
    ended, running = (session_id[:8] for session_id in ids)
    (sandbox.work / "a-script.txt").touch()
    (sandbox.work / "a-script.d").mkdir()
    with Terminal(sandbox, "-i", program=[name], columns=120) as terminal:
        shell = Shell(terminal, name)
        shell.complete("hldctl inter", "hldctl interrupt")
        shell.complete("hldctl launch --reh", "hldctl launch --rehearse")
        shell.complete("hldctl launch --rehearse a-script.t", "a-script.txt")
        shell.complete("hldctl launch -C a-s", "-C a-script.d")
        shell.complete("hldctl launch --query-file=a-script.t", "--query-file=a-script.txt")
        shell.complete("hldctl launch --query-file=", "--query-file=a-script.")
        shell.complete("hldctl launch --working-dir=a-s", "--working-dir=a-script.d")
        shell.complete("hldctl config set --he", "hldctl config set --help")
        shell.complete("hldctl config set approvals tr", "hldctl config set approvals true")
        shell.complete("hldctl launch --if-running=qu", "--if-running=queue")
        assert "duration" in shell.complete("hldctl ls --sort ", "activity")
        shell.complete("hldctl interrupt ", f"hldctl interrupt {running}")
        shell.complete("hldctl show night:", "hldctl show night:ly")
        shell.complete("hldctl show la", "hldctl show last")
        screen = shell.complete("hldctl show ", ended)
        assert running in screen
        assert "last" in screen
        if name != "bash":
            assert "failed · Fix: the 'parser'" in screen
            assert "running · stay here" in screen
            assert screen.index(f"{running} ") < screen.index(f"{ended} ")


def test_installation_in_zsh_changes_no_other_completion(sandbox: Sandbox) -> None:
    startup_file = sandbox.home / ".zshrc"
    startup_file.write_text("# mine")
    for is_changed in (True, False):
        with Terminal(sandbox, "-i", program=["zsh"], columns=120) as terminal:
            terminal.enter("hldctl --install-completion; echo do''ne\r")
            screen = "\n".join(terminal.wait_for_screen("\ndone"))
        assert (f"{startup_file} was changed to load it." in screen) == is_changed
    assert startup_file.read_text() == "# mine\nfpath+=~/.zfunc; autoload -Uz compinit; compinit\n"


def test_terminal_answers_what_fish_4_asks(sandbox: Sandbox) -> None:
    """Without an answer about its attributes fish 4 waits, and warns, before it shows a prompt."""
    script = "stty raw -echo; printf '\\033[0c'; head -c 5 | od -An -c; stty sane"
    with Terminal(sandbox, "-c", script, program=("sh",)) as terminal:
        assert "033   [   ?   6   c" in terminal.wait_for_output("6   c")
