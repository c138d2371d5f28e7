"""Other programs on the terminal: editors, commands and the pager."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path

from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import block_signals
from hldctl.errors import UnfitEnvironment

# Time for a program to restore the terminal after SIGTERM.
_TERMINATION_SECONDS = 5.0


def run_in_foreground(command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run a command and return its exit code.

    Ctrl-C is left to the command. If this process is terminated, the command is terminated too, so that it restores the
    terminal.
    """
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(command, env=environment)
        try:
            return process.wait()
        except BaseException:
            with block_signals():
                _terminate(process)
            raise
    finally:
        signal.signal(signal.SIGINT, former)


def edit(file: Path) -> None:
    """Open a file in `$VISUAL`, `$EDITOR` or vi; raise UnfitEnvironment if the editor fails."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    # Through a shell, like git: the variable may contain options, too.
    code = subprocess.run(["/bin/sh", "-c", f'{editor} "$@"', editor, str(file)], check=False).returncode
    if code != 0:
        raise UnfitEnvironment(f"The editor `{editor}` failed with exit code {code}; see {file}.")


def _terminate(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_TERMINATION_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# Exit code of a shell for an unknown command.
_COMMAND_NOT_FOUND = 127


@contextmanager
def open_pager() -> Iterator[None]:
    """Show what is printed in the block in `$PAGER`, or `less` if that is not set.

    In a pipe, with `PAGER=cat`, or without a pager, the output is printed directly.
    """
    pager = os.environ.get("PAGER", shutil.which("less") or "")
    if not rich_console.can_draw() or pager in ("", "cat"):
        yield
        return
    process = subprocess.Popen(
        ["/bin/sh", "-c", pager],
        stdin=subprocess.PIPE,
        encoding=sys.stdout.encoding,
        errors="backslashreplace",
        # As in git: exit at once if all fits on the screen, and leave the text on the screen.
        env={"LESS": "FRX", **os.environ},
    )
    assert process.stdin is not None
    # Ctrl-C is left to the pager, which keeps running.
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # The user may quit the pager before the end.
        with suppress(BrokenPipeError), process.stdin as pipe, redirect_stdout(pipe):
            yield
    finally:
        code = process.wait()
        signal.signal(signal.SIGINT, former)
    if code == _COMMAND_NOT_FOUND:
        raise UnfitEnvironment(f"Cannot run the pager {pager!r}; set PAGER to another one.")
