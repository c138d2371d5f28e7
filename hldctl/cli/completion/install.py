"""Installation of the completion for the user's shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

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


class Installed(NamedTuple):
    """What the installation changed."""

    shell: str
    script: Path
    startup_file: Path | None
    """The start-up file of the shell that was changed to load the script; None if it does so already."""


def install() -> Installed:
    """Install the script for the shell that called hldctl, and let the shell's start-up file load it.

    Raise UnfitEnvironment if a file is not writable.
    """
    try:
        shell = detect_shell()
        startup_file = _STARTUP_FILES.get(shell, lambda: None)()
        before = _read(startup_file)
        script = _install_zsh(startup_file) if startup_file and shell == "zsh" else _install_as_typer(shell)
        script.write_text(read_script(shell), encoding="utf-8")
        return Installed(shell, script, startup_file if _read(startup_file) != before else None)
    except OSError as error:
        raise UnfitEnvironment(f"Cannot write {error.filename}: {error.strerror or error}.") from None
    except UnicodeError:
        raise UnfitEnvironment(
            "Your shell's start-up file is not valid UTF-8; add the output of --show-completion to it yourself."
        ) from None


_STARTUP_FILES: dict[str, Callable[[], Path | None]] = {
    "bash": lambda: Path.home() / ".bashrc",
    "zsh": lambda: Path.home() / ".zshrc",
}
_ZSH_LINE = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"


def _install_as_typer(shell: str) -> Path:
    return typer_completion.install(shell, prog_name="hldctl")[1]


def _install_zsh(startup_file: Path) -> Path:
    """Add the line that loads completions to the start-up file, and return the path for the script.

    Typer would also set a style for the completion of all programs.
    """
    text = _read(startup_file)
    if _ZSH_LINE not in text:
        separator = "" if not text or text.endswith("\n") else "\n"
        startup_file.write_text(f"{text}{separator}{_ZSH_LINE}\n", encoding="utf-8")
    directory = Path.home() / ".zfunc"
    directory.mkdir(exist_ok=True)
    return directory / "_hldctl"


def _read(file: Path | None) -> str:
    return file.read_text(encoding="utf-8") if file is not None and file.exists() else ""
