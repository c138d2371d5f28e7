"""Completion for the user's own shell."""

from __future__ import annotations

from pathlib import Path

from typer import _completion_shared as typers

from hldctl.errors import UnfitEnvironment

FILES = {"bash": "hldctl.bash", "zsh": "_hldctl", "fish": "hldctl.fish"}


def shell() -> str:
    """The one that hldctl was called from; raises UnfitEnvironment where that is none of ours."""
    found = typers._get_shell_name()
    if found not in FILES:
        raise UnfitEnvironment(f"There is no completion for {found or 'this shell'}; there is for {', '.join(FILES)}.")
    return found


def script(shell: str) -> str:
    return (Path(__file__).parent / FILES[shell]).read_text(encoding="utf-8")


def install() -> tuple[str, Path]:
    """Where typer's own goes, with what typer adds to the shell's start-up file."""
    try:
        found, path = typers.install(shell(), prog_name="hldctl")
        path.write_text(script(found), encoding="utf-8")
    except OSError as error:
        raise UnfitEnvironment(f"{error.filename} cannot be written: {error.strerror or error}.") from None
    except UnicodeError:
        raise UnfitEnvironment(
            "Your shell's start-up file is no UTF-8; use --show-completion, and put it there."
        ) from None
    return found, path
