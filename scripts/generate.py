"""Writes the manual pages and the shell completions from what `--help` knows."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer
from typer._completion_shared import get_completion_script
from typer.core import TyperArgument, TyperOption

from hldctl import __version__
from hldctl.cli import app
from hldctl.errors import ExitCode
from hldctl.host.paths import StateDirectory

ROOT = Path(__file__).resolve().parent.parent

_COMPLETIONS = {
    "bash": "completions/hldctl.bash",
    "zsh": "completions/_hldctl",
    "fish": "completions/hldctl.fish",
}
_PAGES = "man/hldctl*.1"
"""All that this script writes into man/, so that the page of a command that is gone goes too."""

# Typer's script only defines and registers a function. Autoloaded, it is run because a completion is wanted, and
# without this the first TAB would complete nothing. `compstate` exists only then, not where the file is sourced.
_ZSH_FIRST_COMPLETION = """
if (( ${+compstate} )); then
  _hldctl_completion "$@"
fi
"""

_EXITS = {
    ExitCode.DONE: "Done; for a session that was waited for: completed.",
    ExitCode.FAILED: "The session that was waited for failed.",
    ExitCode.USAGE: "Wrong usage.",
    ExitCode.NO_SUCH_SESSION: "No such session, or an ambiguous prefix.",
    ExitCode.WRONG_STATE: "The session's state does not allow it.",
    ExitCode.ENVIRONMENT: "The environment does not allow it: no Claude Code, or a state directory or database that "
    "cannot be used.",
    ExitCode.TIMED_OUT: "A timeout ended it.",
    ExitCode.INTERRUPTED: "It was interrupted.",
}

_ENVIRONMENT = {
    "HLDCTL_HOME": "The state directory.",
    "XDG_STATE_HOME": "Without `HLDCTL_HOME`, the state directory is `$XDG_STATE_HOME/hldctl`; without either, it is "
    "`~/.local/state/hldctl`.",
    "HLDCTL_CLAUDE": "The Claude Code binary. Without it: `claude` on `PATH`, in the usual install places, in the "
    "package `claude-agent-sdk`, or on a login shell's `PATH`.",
    "NO_COLOR": "If set, nothing is coloured.",
}

_STATE = StateDirectory(Path("$HLDCTL_HOME"))
_SESSION = _STATE.session("ID")
_FILES = {
    _STATE.database: "The database of all sessions.",
    _SESSION.journal: "What Claude Code wrote to its standard output, byte for byte.",
    _SESSION.errors: "What Claude Code wrote to its standard error.",
    _SESSION.log: "What hldctl itself noted about the session.",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    if not parser.parse_args(arguments).check:
        write(ROOT)
        return 0
    found = stale(ROOT)
    for path in found:
        print(f"{path} is stale; run: python scripts/generate.py", file=sys.stderr)
    return 1 if found else 0


def write(root: Path) -> None:
    """Brings the generated files below `root` up to date."""
    files = generated()
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    for path in _pages_below(root) - files.keys():
        (root / path).unlink()


def stale(root: Path) -> list[str]:
    """The generated files below `root` that are missing, differ, or describe a command that is gone."""
    files = generated()
    differing = {path for path, text in files.items() if _text(root / path) != text}
    return sorted(differing | (_pages_below(root) - files.keys()))


def generated() -> dict[str, str]:
    """What each generated file has to hold, by its path below the root."""
    return (
        {path: completion(shell) for shell, path in _COMPLETIONS.items()}
        | {"man/hldctl.1": main_page()}
        | {f"man/hldctl-{name}.1": command_page(name) for name in app.COMMANDS}
    )


def _text(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else None


def _pages_below(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.glob(_PAGES)}


# Completions


def completion(shell: str) -> str:
    """What typer prints for that shell, fit to be installed as a file."""
    script = get_completion_script(prog_name="hldctl", complete_var="_HLDCTL_COMPLETE", shell=shell)
    return script + "\n" + (_ZSH_FIRST_COMPLETION if shell == "zsh" else "")


# Manual pages


def main_page() -> str:
    context = _context(typer.main.get_command(app.app), "hldctl")
    return _page(
        "hldctl",
        {
            "NAME": _name("hldctl", context),
            "SYNOPSIS": f"{_bold('hldctl')} [{_italic('option')} ...] {_italic('command')} [{_italic('argument')} ...]",
            "DESCRIPTION": _description(context),
            "OPTIONS": _options(context),
            "COMMANDS": _commands(),
            "ENVIRONMENT": _entries((_bold(name), prose(text)) for name, text in _ENVIRONMENT.items()),
            "FILES": _entries((_italic(str(path)), prose(text)) for path, text in _FILES.items()),
            "EXIT STATUS": _exit_status(),
            "SEE ALSO": ",\n".join(_reference(f"hldctl-{name}") for name in app.COMMANDS),
        },
    )


def command_page(name: str) -> str:
    context = _context(app.load(name), name)
    return _page(
        f"hldctl-{name}",
        {
            "NAME": _name(f"hldctl-{name}", context),
            "SYNOPSIS": _synopsis(name, context),
            "DESCRIPTION": _description(context),
            "ARGUMENTS": _entries(_argument(argument, context) for argument in _arguments(context)),
            "OPTIONS": _options(context),
            "EXIT STATUS": _exit_status(),
            "SEE ALSO": _reference("hldctl"),
        },
    )


def _context(command: Any, name: str) -> typer.Context:
    """What the command's own help is made from."""
    context: typer.Context = command.make_context(name, [], resilient_parsing=True)
    return context


def _page(name: str, sections: dict[str, str]) -> str:
    # No date: a page changes with the program, not with the day it is generated.
    heading = f'.TH {literal(name.upper())} 1 "" "hldctl {literal(__version__)}" "hldctl manual"'
    bodies = [f'.SH "{title}"\n{body}' for title, body in sections.items() if body]
    return "\n".join(['.\\" Written by scripts/generate.py; change the help texts instead.', heading, *bodies]) + "\n"


def _name(name: str, context: typer.Context) -> str:
    return rf"{literal(name)} \- {_summary(context)}"


def _summary(context: typer.Context) -> str:
    """The first sentence of the help."""
    first = re.split(r"(?<=\.)\s", _paragraphs(context)[0], maxsplit=1)[0]
    return prose(first.removesuffix("."))


def _description(context: typer.Context) -> str:
    return "\n.PP\n".join(map(prose, _paragraphs(context)))


def _paragraphs(context: typer.Context) -> list[str]:
    return re.split(r"\n\s*\n", inspect.cleandoc(context.command.help or ""))


def _synopsis(name: str, context: typer.Context) -> str:
    words = [_bold(f"hldctl {name}"), f"[{_italic('option')} ...]"]
    for argument in _arguments(context):
        word = _italic(argument.make_metavar(context))
        words.append(word if argument.required else f"[{word}]")
    if isinstance(context.command, app.CommandWithRest):
        words.append(f"[{_bold('--')} {_italic('argument')} ...]")
    return " ".join(words)


def _arguments(context: typer.Context) -> list[TyperArgument]:
    parameters = context.command.get_params(context)
    return [parameter for parameter in parameters if isinstance(parameter, TyperArgument) and not parameter.hidden]


def _argument(argument: TyperArgument, context: typer.Context) -> tuple[str, str]:
    return _italic(argument.make_metavar(context)), prose(argument.help or "")


def _options(context: typer.Context) -> str:
    parameters = context.command.get_params(context)
    options = (parameter for parameter in parameters if isinstance(parameter, TyperOption) and not parameter.hidden)
    return _entries((_option_names(option, context), _option_help(option, context)) for option in options)


def _option_names(option: TyperOption, context: typer.Context) -> str:
    """The option as it is written, short names first."""
    short_first = sorted([*option.opts, *option.secondary_opts], key=lambda name: name.startswith("--"))
    names = ", ".join(map(_bold, short_first))
    return names if option.is_flag or option.count else f"{names} {_italic(option.make_metavar(context))}"


def _option_help(option: TyperOption, context: typer.Context) -> str:
    """What `--help` says, and what it has no room for."""
    _, text = option.get_help_record(context) or ("", "")
    choices = getattr(option.type, "choices", ())
    if choices and option.metavar is not None:
        text += f" One of: {', '.join(f'`{choice}`' for choice in choices)}."
    if option.multiple:
        text += " May be given more than once."
    return prose(text)


def _commands() -> str:
    contexts = {name: _context(app.load(name), name) for name in app.COMMANDS}
    return _entries((_reference(f"hldctl-{name}"), _summary(context) + ".") for name, context in contexts.items())


def _exit_status() -> str:
    return _entries((_bold(str(code.value)), prose(_EXITS[code])) for code in ExitCode)


# Roff


def literal(text: str) -> str:
    """Text that roff prints as it is, with hyphens that can be copied into a shell."""
    return _plain(text).replace("-", r"\-")


def prose(text: str) -> str:
    """A paragraph with `code` and --options in bold, and hyphens that may be hyphens."""
    parts = re.split(r"(`[^`]+`|(?<![\w-])--?[A-Za-z][\w-]*)", " ".join(text.split()))
    # Those that matched stand at the odd places.
    marked = (_bold(part.strip("`")) if place % 2 else _plain(part) for place, part in enumerate(parts))
    return _not_a_request("".join(marked))


_SPECIAL = {"\\": r"\(rs", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq", "…": "..."}


def _plain(text: str) -> str:
    """The characters that roff would take for something else, escaped; pages are ASCII for any terminal."""
    return "".join(_SPECIAL.get(character) or _ascii(character) for character in text)


def _ascii(character: str) -> str:
    return character if character.isascii() else rf"\[u{ord(character):04X}]"


def _not_a_request(line: str) -> str:
    return rf"\&{line}" if line.startswith(".") else line


def _bold(text: str) -> str:
    return rf"\fB{literal(text)}\fR"


def _italic(text: str) -> str:
    return rf"\fI{literal(text)}\fR"


def _reference(page: str) -> str:
    return f"{_bold(page)}(1)"


def _entries(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f".TP\n{tag}\n{text}" for tag, text in entries)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
