"""What hldctl prints to a shell that completes: a candidate a line; behind a tab, its description."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hldctl.cli.completion.candidates import Candidate, candidates
from hldctl.cli.completion.parser import CompletionContext, Kind, WantedNames, load, parse

_FOR_THE_SHELL = {Kind.FILE: ":files", Kind.DIRECTORY: ":directories"}
"""What it completes better itself; no candidate begins with a colon."""


def main(shell: str, arguments: Sequence[str]) -> None:
    try:
        lines = in_bash(*arguments) if shell == "bash" else described(arguments)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    except Exception:  # noqa: S110  whatever is wrong, nothing may come between the words that somebody types
        pass


def described(words: Sequence[str]) -> list[str]:
    """For shells that show descriptions; `words` are those behind `hldctl`, up to the cursor."""
    found = answer(words)
    return [found] if isinstance(found, str) else ["\t".join(filter(None, each)) for each in found]


def in_bash(breaks: str, line: str) -> list[str]:
    """For bash, which puts a candidate in place of what stands behind the last of the characters that break words."""
    import shlex

    words = _split(line)
    found = answer(words[1:])
    if isinstance(found, str):
        return [found]
    kept = 1 + max((words[-1].rfind(character) for character in breaks), default=-1)
    return [shlex.quote(each.value[kept:]) for each in found]


def answer(words: Sequence[str]) -> str | list[Candidate]:
    what = parse(load(), words)
    if isinstance(what, CompletionContext):
        if isinstance(what.takes, str) and what.takes in _FOR_THE_SHELL:
            return _FOR_THE_SHELL[Kind(what.takes)]
        return [] if what.takes == Kind.TEXT else _kept(what)
    return _named(what) if isinstance(what, WantedNames) else []


def _kept(what: CompletionContext) -> list[Candidate]:
    return [each._replace(value=what.kept + each.value) for each in candidates(what)]


def _named(what: WantedNames) -> list[Candidate]:
    return [Candidate(*entry) for entry in what.names.items() if entry[0].startswith(what.beginning)]


def _split(line: str) -> list[str]:
    """The words up to the cursor; the last may be begun only, or not even that."""
    import shlex

    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        # A quote that is still open.
        return [*words, lexer.token]
    return [*words, ""] if line[-1:].isspace() else words
