"""How a parser of bash's grammar, bash itself and zsh interpret a command."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bash.language()))

# Nodes of one plain command: no redirection, assignment, expansion or substitution.
_ALLOWED = {"program", "command", "command_name", "word", "number", "string", "string_content", "raw_string"}
_ALLOWED |= {"concatenation", "comment", "extglob_pattern", "regex", "test_operator"}

_BASH = """
exec 3>"$2"
command_not_found_handle() { printf 'called' >&3; printf '\\t%q' "$@" >&3; printf '\\n' >&3; return 0; }
set -T
trap '[ ${#FUNCNAME[@]} = 0 ] && printf "ran\\n" >&3' DEBUG
eval "$1"
"""
_ZSH = """
exec 3>"$2"
command_not_found_handler() { printf 'called' >&3; printf '\\t%s' "${(q)@}" >&3; printf '\\n' >&3; return 0; }
eval "$1"
"""
# The PATH: programs are not found, but noted; only builtins run.
_NOTHING = "/nonexistent"
_LONGEST = 100_000


def parse_words(command: str) -> list[str] | None:
    """Return the words if the command is one plain command for the parser; None otherwise."""
    root = _parse(command)
    nodes = list(_walk(root))
    commands = [node for node in root.named_children if node.type != "comment"]
    if root.has_error or len(commands) != 1 or any(node.is_named and node.type not in _ALLOWED for node in nodes):
        return None
    return [(child.text or b"").decode(errors="replace") for child in commands[0].children]


def is_understood(command: str) -> bool:
    """Return whether the parser finds no error; it mistakes some words for operators (`==`, `=~`) or numbers (`0#`)."""
    return not _parse(command).has_error


def _parse(command: str) -> Node:
    return _PARSER.parse(command.encode("utf-8", errors="surrogatepass")).root_node


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


@dataclass(frozen=True)
class Trace:
    commands: int | None
    """Number of simple commands that the shell ran; None if it does not report it."""
    called: list[str]
    """Programs that the shell looked for, with their arguments as it would quote them."""
    made: list[str]
    """Names of the files in the directory afterwards."""


def trace(shell: str, command: str, directory: Path) -> Trace:
    """Run the command in a real shell that finds no programs, in a private directory; return what it did."""
    work = directory / "traced"
    work.mkdir(exist_ok=True)
    notes = directory / "notes"
    notes.write_bytes(b"")
    options = ["--noprofile", "--norc"] if shell == "bash" else ["-f"]
    subprocess.run(
        [f"/usr/bin/{shell}", *options, "-c", _BASH if shell == "bash" else _ZSH, shell, command, str(notes)],
        cwd=work,
        env={"PATH": _NOTHING, "HOME": str(work), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    lines = notes.read_text(errors="replace").splitlines()
    files = sorted(path.name for path in work.iterdir())
    for name in files:
        (work / name).unlink()
    # The `eval` itself counts as one.
    commands = lines.count("ran") - 1 if shell == "bash" else None
    return Trace(commands, [line.partition("\t")[2] for line in lines if line.startswith("called")], files)


def assert_one_command(prefix: str, command: str, directory: Path) -> None:
    """Assert that a command covered by a rule is one plain command that starts with the prefix."""
    words = prefix.split(" ")
    assert "\0" not in command
    if is_understood(command):
        parsed = parse_words(command)
        assert parsed is not None, f"no plain command: {command!r}"
        assert parsed[: len(words)] == words, f"{parsed}: {command!r}"
    if len(command) > _LONGEST:
        return
    for shell in ("bash", "zsh"):
        ran = trace(shell, command, directory)
        assert ran.commands in (None, 1), f"{shell} ran {ran.commands} commands: {command!r}"
        assert ran.made == [], f"{shell} made {ran.made}: {command!r}"
        # A pattern that matches no file may be an error for zsh, which then runs nothing.
        assert len(ran.called) == 1 or (shell == "zsh" and not ran.called), f"{shell} ran {ran.called}: {command!r}"
        for called in ran.called:
            assert called.split("\t")[: len(words)] == words, f"{shell} ran {called}: {command!r}"
