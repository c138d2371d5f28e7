"""Installation of the completion for the user's shell."""

from __future__ import annotations

from pathlib import Path

from shellingham import ShellDetectionFailure
from shellingham import detect_shell as detect
from typer import _completion_shared as typer_completion

from hldctl.errors import UnfitEnvironment

SCRIPT_FILES = {"bash": "hldctl.bash", "zsh": "_hldctl", "fish": "hldctl.fish"}


def detect_shell() -> str:
    """Return the name of the shell that called hldctl; raise UnfitEnvironment if it is not supported."""
    try:
        name = str(detect()[0])
    except ShellDetectionFailure:
        name = ""
    if name not in SCRIPT_FILES:
        raise UnfitEnvironment(
            f"No completion for {name or 'this shell'}; supported shells: {', '.join(SCRIPT_FILES)}."
        )
    return name


def read_script(shell: str) -> str:
    """Return the completion script for the shell.

    A wheel has the scripts beside this module; a checkout has them in `completions/`.
    """
    name = SCRIPT_FILES[shell]
    installed, checkout = Path(__file__).with_name(name), Path(__file__).parents[3] / "completions" / name
    return (installed if installed.exists() else checkout).read_text(encoding="utf-8")


def install() -> tuple[str, Path]:
    """Install the script where typer would install its own; return the name of the shell and the path.

    Typer also adds what is needed to the start-up file of the shell. Raise UnfitEnvironment if a file is not writable.
    """
    try:
        name, path = typer_completion.install(detect_shell(), prog_name="hldctl")
        path.write_text(read_script(name), encoding="utf-8")
    except OSError as error:
        raise UnfitEnvironment(f"Cannot write {error.filename}: {error.strerror or error}.") from None
    except UnicodeError:
        raise UnfitEnvironment(
            "Your shell's start-up file is not valid UTF-8; add the output of --show-completion to it yourself."
        ) from None
    return name, path
