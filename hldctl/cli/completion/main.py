"""Entry point of completion: prints one candidate per line, followed by a tab and its description."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from hldctl.cli.completion.candidates import Candidate, candidates
from hldctl.cli.completion.parser import CompletionContext, Kind, NamesContext, load_commands, parse

_ON_THIS_MACHINE = frozenset({Kind.FILE, Kind.TEXT, Kind.HOST})
# What the shell itself completes better. No candidate begins with a colon.
_SHELL_DIRECTIVES = {Kind.FILE: ":files", Kind.DIRECTORY: ":directories"}


Ask = Callable[[Sequence[str]], list[Candidate] | None]
"""Returns the candidates of the machine that a command line names, or None if it names none."""


def main(shell: str, arguments: Sequence[str], ask: Ask = lambda words: None) -> None:
    """Print the candidates for `shell`, or nothing if there is an error."""
    try:
        lines = _bash_lines(*arguments, ask=ask) if shell == "bash" else _described_lines(arguments, ask)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    except Exception:  # noqa: S110  an error message would appear in the middle of the command line
        pass


def _described_lines(words: Sequence[str], ask: Ask) -> list[str]:
    """Return the lines for shells that show descriptions; `words` are those after `hldctl`, up to the cursor."""
    completion = _complete(words, ask)
    if isinstance(completion, str):
        return [completion]
    return ["\t".join(filter(None, candidate)) for candidate in completion]


def _bash_lines(breaks: str, line: str, *, ask: Ask) -> list[str]:
    """Return the lines for bash, which replaces only the text after the last of its word-breaking characters."""
    import shlex

    words = _split(line)
    completion = _complete(words[1:], ask)
    if isinstance(completion, str):
        return [completion]
    start = 1 + max((words[-1].rfind(character) for character in breaks), default=-1)
    return [shlex.quote(candidate.value[start:]) for candidate in completion]


def _complete(words: Sequence[str], ask: Ask) -> str | list[Candidate]:
    """Return the candidates, or a directive for the shell to complete files or directories."""
    context = parse(load_commands(), words)
    if isinstance(context, CompletionContext):
        is_there = isinstance(context.takes, str) and context.takes not in _ON_THIS_MACHINE
        if is_there and (found := ask(words)) is not None:
            return found
        if isinstance(context.takes, str) and context.takes in _SHELL_DIRECTIVES:
            return _SHELL_DIRECTIVES[Kind(context.takes)]
        return [] if context.takes == Kind.TEXT else _value_candidates(context)
    return _name_candidates(context) if isinstance(context, NamesContext) else []


def _value_candidates(context: CompletionContext) -> list[Candidate]:
    return [candidate._replace(value=context.option_prefix + candidate.value) for candidate in candidates(context)]


def _name_candidates(context: NamesContext) -> list[Candidate]:
    return [Candidate(*entry) for entry in context.names.items() if entry[0].startswith(context.prefix)]


def _split(line: str) -> list[str]:
    """Split the line into words; the last one is incomplete, and may be empty."""
    import shlex

    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        # An unclosed quote.
        return [*words, lexer.token]
    return [*words, ""] if line[-1:].isspace() else words
